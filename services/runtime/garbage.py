"""How often a service looks for garbage that counting references does not find."""

import gc


def collect_rarely() -> None:
    """Spare the garbage collector what stays for ever. Call it once everything is imported and set up.

    A request or a batch makes no cycles, but very many objects: with the default of 700 new ones a collection starts
    every few conversations, and takes up to a fifth of what reading them does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
