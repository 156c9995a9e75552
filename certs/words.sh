# shellcheck shell=sh
# words.sh - what make-ca and make-leaf have in common: is this word a name, an address, a network?
# Sourced, not run. Everything that reaches a configuration of openssl was checked here first, so
# that no word can become another line of it.

LC_ALL=C
export LC_ALL
umask 077

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# die_of openssl's standard error (a file) and what we wanted from it
die_of() {
	printf '%s: %s; openssl says:\n' "${0##*/}" "$2" >&2
	sed 's/^/  /' "$1" >&2
	exit 1
}

is_v4() {
	case $1 in
	*[!0-9.]* | .* | *. | *..*) return 1 ;;
	esac
	is_v4_rest=$1. is_v4_count=0
	while [ -n "$is_v4_rest" ]; do
		is_v4_part=${is_v4_rest%%.*}
		is_v4_rest=${is_v4_rest#*.}
		is_v4_count=$((is_v4_count + 1))
		case $is_v4_part in
		0 | [1-9] | [1-9][0-9] | 1[0-9][0-9] | 2[0-4][0-9] | 25[0-5]) ;;
		*) return 1 ;;
		esac
	done
	[ "$is_v4_count" -eq 4 ]
}

# Only the alphabet; openssl knows the rest.
looks_like_v6() {
	case $1 in
	*[!0-9A-Fa-f:.]*) return 1 ;;
	*:*:*) return 0 ;;
	esac
	return 1
}

# A host name, with the wildcard of RFC 9525 6.3 where $2 is "wildcard": letters, digits, hyphens.
# No client takes a wildcard right below a top-level name (*.lan).
is_name() {
	is_name_rest=$1
	if [ "${2-}" = wildcard ]; then
		case $is_name_rest in
		\*.*.*) is_name_rest=${is_name_rest#\*.} ;;
		esac
	fi
	[ -n "$is_name_rest" ] && [ "${#1}" -le 253 ] || return 1
	case $is_name_rest in
	*[!A-Za-z0-9.-]* | .* | *. | *..*) return 1 ;;
	esac
	is_name_rest=$is_name_rest.
	while [ -n "$is_name_rest" ]; do
		is_name_part=${is_name_rest%%.*}
		is_name_rest=${is_name_rest#*.}
		case $is_name_part in
		-* | *-) return 1 ;;
		esac
		[ "${#is_name_part}" -le 63 ] || return 1
	done
	case $is_name_part in # all digits at the end: a mistyped address (RFC 3696 2)
	*[!0-9]*) return 0 ;;
	esac
	return 1
}

lower() {
	printf '%s\n' "$1" | tr '[:upper:]' '[:lower:]'
}

is_number_up_to() { # text, greatest
	case $1 in
	'' | *[!0-9]* | ????*) return 1 ;;
	esac
	[ "$1" -le "$2" ]
}

v4_mask() { # prefix length
	v4_bits=$1 v4_text=''
	for _ in 1 2 3 4; do
		v4_here=$((v4_bits > 8 ? 8 : v4_bits))
		v4_bits=$((v4_bits - v4_here))
		v4_text=$v4_text.$((256 - (1 << (8 - v4_here))))
	done
	printf '%s\n' "${v4_text#.}"
}

v6_mask() { # prefix length
	v6_bits=$1 v6_text=''
	for _ in 1 2 3 4 5 6 7 8; do
		v6_here=$((v6_bits > 16 ? 16 : v6_bits))
		v6_bits=$((v6_bits - v6_here))
		v6_text=$v6_text:$(printf '%x' $((65536 - (1 << (16 - v6_here)))))
	done
	printf '%s\n' "${v6_text#:}"
}

has_v4_host_bits() { # address, mask
	v4_a=$1. v4_m=$2.
	while [ -n "$v4_a" ]; do
		[ $((${v4_a%%.*} & (255 - ${v4_m%%.*}))) -eq 0 ] || return 0
		v4_a=${v4_a#*.} v4_m=${v4_m#*.}
	done
	return 1
}

# "10.0.0.0/8" -> "10.0.0.0/255.0.0.0", the form in which openssl takes a network.
network_of() {
	network_address=${1%%/*}
	network_bits=${1#*/}
	if is_v4 "$network_address"; then
		[ "$network_bits" != "$1" ] || network_bits=32
		is_number_up_to "$network_bits" 32 ||
			die "\"$1\": the length of an IPv4 network is 0 to 32"
		network_mask=$(v4_mask "$network_bits")
		if has_v4_host_bits "$network_address" "$network_mask"; then
			die "\"$1\": bits are set beyond its first $network_bits"
		fi
	elif looks_like_v6 "$network_address"; then
		[ "$network_bits" != "$1" ] || network_bits=128
		is_number_up_to "$network_bits" 128 ||
			die "\"$1\": the length of an IPv6 network is 0 to 128"
		network_mask=$(v6_mask "$network_bits")
	else
		die "\"$1\": neither a domain nor a network like 192.168.0.0/16"
	fi
	printf '%s/%s\n' "$network_address" "$network_mask"
}

# A directory inside $1, so that what is finished can be moved in place by a rename; gone at exit.
work_in() {
	work=$1/.${0##*/}.$$
	mkdir "$work" || die "cannot write to \"$1\""
	trap 'rm -rf "$work"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

command -v openssl >/dev/null || die 'openssl is not installed'
