"""TPD's three commands. The folder above is no package: it would hide the one that is tested."""
