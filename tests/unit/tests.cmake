# unit_test(<file>_test <libraries>), one line per tested file.
