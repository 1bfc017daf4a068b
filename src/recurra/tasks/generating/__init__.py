"""One to many: new sequences like those that were learned."""
