"""Rewrites a program into a shorter one of the same meaning."""

from recurra.program.associate import associate
from recurra.program.emitter import rebuild
from recurra.program.merge import merge_adds, merge_linears, split_linears
from recurra.program.peephole import RULES
from recurra.program.program import Program

# Programs settle in three or four rounds; the bound is there so that a mistake cannot hang.
ROUNDS = 12


def simplify(program: Program) -> Program:
    """Return a shorter program with the same results, all of it on rows in `loop`.

    NaN and the sign of zero are kept; sums and products may round differently, because they are
    joined and put in another order.
    """
    program = tidy(program)
    for _ in range(ROUNDS):
        before = program
        for rewrite in (split_linears, merge_linears, associate, merge_adds):
            program = rewrite(program)
        if program == before:
            break
    return program


def tidy(program: Program) -> Program:
    """Return the program without repeats, detours and dead code; its results keep every bit."""
    return rebuild(program, RULES)
