# What the compiler and the linker can do against mistakes that are still there; of every build but
# those with a sanitizer, which looks for them. tests/hardening_test.py reads the program that comes
# of it.
include(CheckCCompilerFlag)

add_compile_options(-fstack-protector-strong -fstack-clash-protection)

# Returns and indirect jumps go where they may only: CET on x86-64, BTI and PAC on 64-bit ARM.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
	add_compile_options(-fcf-protection)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
	add_compile_options(-mbranch-protection=standard)
endif()

# What a function forgot to set is zero, not what another one left on the stack.
check_c_compiler_flag(-ftrivial-auto-var-init=zero HAVE_AUTO_VAR_INIT)
if(HAVE_AUTO_VAR_INIT)
	add_compile_options(-ftrivial-auto-var-init=zero)
endif()

# Level 3 counts sizes that are known at run time only. It needs an optimizer, and knowledge that
# gcc has from 12 on, clang from 15 on; others have level 2. What a distribution's compiler sets by
# itself is taken back first.
if(CMAKE_BUILD_TYPE MATCHES "Rel")
	if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION VERSION_GREATER_EQUAL 12
		OR CMAKE_C_COMPILER_ID MATCHES "Clang"
		AND CMAKE_C_COMPILER_VERSION VERSION_GREATER_EQUAL 15)
		set(FORTIFY_LEVEL 3)
	else()
		set(FORTIFY_LEVEL 2)
	endif()
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${FORTIFY_LEVEL})
endif()

# At an address of its own at each start, with tables that cannot be written once they are filled.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
