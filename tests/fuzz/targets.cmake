# fuzz_target(<name>_fuzz <libraries>), one line per hostile input.
