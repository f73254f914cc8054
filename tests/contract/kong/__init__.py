"""The contract of Kong's Admin API: recorded answers of a real Kong 3.9.3, played against the double or a real one."""
