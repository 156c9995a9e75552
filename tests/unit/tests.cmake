# unit_test(<file>_test <libraries>), one line per tested file.
unit_test(tls_context_test tls PkgConfig::OPENSSL Threads::Threads)
