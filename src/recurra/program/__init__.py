"""A cell's equations as a program: its ops, its checks, its rewrites and its derivative."""
