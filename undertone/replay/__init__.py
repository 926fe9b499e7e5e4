"""Sending accepted conversations to the replay lane again: chosen once, written once each, behind live traffic.

What is to be sent is written down before the first record is; what was sent is read from the replay topic itself.
So a replay that was killed, or paused for days, goes on without sending anything twice.
"""
