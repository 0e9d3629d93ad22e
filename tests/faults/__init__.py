"""Fault injection: kills, full disks, broken footage, hostile input; what was tried and which promises were broken."""
