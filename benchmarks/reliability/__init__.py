"""Fault injection: kills, broken footage, full disks, hostile input; what was tried and what was lost."""
