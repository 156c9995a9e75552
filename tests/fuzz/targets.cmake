# fuzz_target(<name>_fuzz <libraries>), one line per hostile input.
fuzz_target(tls_stream_fuzz tls PkgConfig::OPENSSL)
fuzz_target(query_log_fuzz watch)
fuzz_target(http1_fuzz watch)
fuzz_target(config_fuzz config)
fuzz_target(list_read_fuzz rules)
fuzz_target(policy_fuzz rules)
fuzz_target(upstream_answer_fuzz upstream)
