"""Analysis versions on the command line: compared, and promoted once they lack nothing.

A promotion is steps that each look at what is there: whichever process was stopped, the same command goes on.
"""
