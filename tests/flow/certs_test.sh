#!/bin/sh
# certs_test.sh - make-ca, make-leaf and make-client, judged by openssl's own verifier. Needs
# nothing that runs.
# Usage: certs_test.sh [DIRECTORY OF THE SCRIPTS]. The exit status says how many checks failed.
# shellcheck disable=SC2016,SC2317,SC2012
set -u
certs=${1-$(dirname -- "$0")/../../certs}
home=$(mktemp -d) || exit 1
trap 'rm -rf "$home"' EXIT
failed=0 count=0

ok() { # what, command...
	count=$((count + 1))
	what=$1
	shift
	if ! "$@" >"$home/out" 2>&1; then
		failed=$((failed + 1))
		echo "FAILED: $what"
		sed 's/^/  /' "$home/out"
	fi
}

not() {
	if "$@"; then
		return 1
	fi
}

# The command fails, and its message has the word in it.
refuses() { # word, command...
	refused_word=$1
	shift
	if "$@" >"$home/said" 2>&1; then
		echo "was accepted"
		return 1
	fi
	cat "$home/said"
	grep -q -F -e "$refused_word" "$home/said"
}

says() { # word, command...
	said_word=$1
	shift
	"$@" >"$home/said" 2>&1 || return 1
	cat "$home/said"
	grep -q -e "$said_word" "$home/said"
}

mode_of() {
	ls -l "$1" | cut -c 1-10
}

leaf_of() {
	openssl x509 -in "$1" -noout -text
}

verifies() { # name option, name, certificate
	openssl verify -CAfile "$ca/ca.pem" -no-CApath -no-CAstore -purpose sslserver "$1" "$2" "$3"
}

# A name with all that shells and openssl could trip over.
ca="$home/my \"home\" & \$(false)"

# --- the authority ---
ok 'make-ca' "$certs/make-ca" "$ca" --name "Müller's CA/CN=bank + \"x\" \\ \$HOME"
ok 'the name arrives as it was given' says "Müller's CA/CN=bank + \"x\" .* \$HOME" \
	openssl x509 -in "$ca/ca.pem" -noout -subject -nameopt utf8
ok 'the key is for the owner alone' test "$(mode_of "$ca/ca.key")" = -rw-------
ok 'ECDSA P-256' says prime256v1 leaf_of "$ca/ca.pem"
ok 'critical constraints' says 'Name Constraints: critical' leaf_of "$ca/ca.pem"
ok 'signs no authority' says 'pathlen:0' leaf_of "$ca/ca.pem"
ok 'key usage' says 'Certificate Sign, CRL Sign' leaf_of "$ca/ca.pem"
ok 'ten years' openssl x509 -in "$ca/ca.pem" -noout -checkend $((3650 * 86400))
before=$(cat "$ca/ca.pem" "$ca/ca.key")
ok 'a second make-ca changes nothing and says so' says 'kept as it is' "$certs/make-ca" "$ca"
ok 'nothing was changed' test "$before" = "$(cat "$ca/ca.pem" "$ca/ca.key")"

# --- the leaf ---
ok 'make-leaf' "$certs/make-leaf" "$ca" dns.home.arpa NAS.Home.Arpa. '*.nas.lan' localhost \
	127.0.0.1 192.168.1.2 fd00::2 ::1
for name in dns.home.arpa nas.home.arpa any.nas.lan localhost; do
	ok "valid for $name" verifies -verify_hostname "$name" "$ca/server.pem"
done
for address in 127.0.0.1 192.168.1.2 fd00::2 ::1; do
	ok "valid for $address" verifies -verify_ip "$address" "$ca/server.pem"
done
ok 'not valid for others' not verifies -verify_hostname other.home.arpa "$ca/server.pem"
ok 'the leaf comes first, then the authority' test \
	"$(openssl crl2pkcs7 -nocrl -certfile "$ca/server.pem" | openssl pkcs7 -print_certs -noout |
		grep -c '^subject')" = 2
ok 'the first one is the leaf' says 'dns.home.arpa' \
	openssl x509 -in "$ca/server.pem" -noout -subject
ok 'for servers only' says '^ *TLS Web Server Authentication$' leaf_of "$ca/server.pem"
ok 'is no authority' says 'CA:FALSE' leaf_of "$ca/server.pem"
ok 'not much less than 397 days' openssl x509 -in "$ca/server.pem" -noout -checkend $((396 * 86400))
ok 'not more than 398 days' not openssl x509 -in "$ca/server.pem" -noout -checkend $((398 * 86400))
ok 'key and certificate are a pair' test "$(openssl x509 -in "$ca/server.pem" -noout -pubkey)" = \
	"$(openssl pkey -in "$ca/server.key" -pubout)"
ok 'the key is for the owner alone' test "$(mode_of "$ca/server.key")" = -rw-------
ok 'the certificate is for all' test "$(mode_of "$ca/server.pem")" = -rw-r--r--
ok 'nothing else is left' test "$(ls -A "$ca" | tr '\n' ' ')" = \
	'ca.key ca.pem server.key server.pem '

# --- what is refused; the files stay as they are ---
before=$(cat "$ca/server.pem" "$ca/server.key")
for word in www.bank.example 8.8.8.8 2001:db8::1 home.arpa.example notlan '*.bank.example'; do
	ok "outside the constraints: $word" refuses "\"$word\": this authority may not sign it" \
		"$certs/make-leaf" "$ca" dns.home.arpa "$word" 192.168.1.2
done
for word in 'two words' 1.2.3 256.1.1.1 01.2.3.4 -x.home.arpa x-.home.arpa a..home.arpa \
	'a*.home.arpa' '*.lan' '*' 'müller.home.arpa' 'x;y' 'x
[evil]' '$(id).home.arpa' '' "$(printf '%064d' 0).home.arpa"; do
	ok "no name: $word" refuses "\"$word\":" "$certs/make-leaf" "$ca" "$word"
done
ok 'no address: fd00::2::1' refuses '"fd00::2::1": openssl does not take it' \
	"$certs/make-leaf" "$ca" fd00::2::1
ok 'nothing was replaced' test "$before" = "$(cat "$ca/server.pem" "$ca/server.key")"
ok 'no authority there' refuses 'make an authority first' "$certs/make-leaf" "$home/none" a.lan
ok 'usage' refuses usage: "$certs/make-leaf" "$ca"
ok 'usage' refuses usage: "$certs/make-ca"
ok 'help' says usage: "$certs/make-ca" --help
ok 'help' says usage: "$certs/make-leaf" --help

# --- renewal ---
chmod 640 "$ca/server.key"
ok 'renewal' "$certs/make-leaf" "$ca" dns.home.arpa
ok 'it is a new one' not test "$before" = "$(cat "$ca/server.pem" "$ca/server.key")"
ok 'rights that were given are kept' test "$(mode_of "$ca/server.key")" = -rw-r-----
ok 'no name of before' not verifies -verify_hostname localhost "$ca/server.pem"

# Somebody reads all the time: never half a file, as the file is replaced, not written to.
(
	while [ ! -e "$home/stop" ]; do
		openssl x509 -in "$ca/server.pem" -noout &&
			openssl pkey -in "$ca/server.key" -noout ||
			echo bad >>"$home/bad"
	done
) 2>/dev/null &
reader=$!
for _ in 1 2 3 4 5; do
	"$certs/make-leaf" "$ca" dns.home.arpa >/dev/null
done
: >"$home/stop"
wait "$reader"
ok 'a reader never met half a file' test ! -e "$home/bad"

# --- a stolen key: the constraints hold against openssl itself ---
forge() { # subjectAltName
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$home/forged.key" \
		-CA "$ca/ca.pem" -CAkey "$ca/ca.key" -subj /CN=forged -addext "subjectAltName=$1" \
		-out "$home/forged.pem" -days 30 2>/dev/null
}
ok 'forging' forge DNS:www.bank.example
ok 'a forged bank is refused' refuses 'permitted subtree violation' \
	verifies -verify_hostname www.bank.example "$home/forged.pem"
ok 'forging' forge IP:8.8.8.8
ok 'a forged address is refused' refuses 'permitted subtree violation' \
	verifies -verify_ip 8.8.8.8 "$home/forged.pem"

# --- own permissions ---
ca=$home/own
ok 'own domains and networks' "$certs/make-ca" "$ca" --permit '*.Corp.Example' \
	--permit 192.0.2.0/25 --permit 2001:db8::/33
ok 'inside' "$certs/make-leaf" "$ca" dns.corp.example corp.example 192.0.2.127 2001:db8:7fff::1
for word in dns.home.arpa corp.example.net 192.0.2.128 127.0.0.1 2001:db8:8000::1; do
	ok "outside: $word" refuses "\"$word\": this authority may not sign it" \
		"$certs/make-leaf" "$ca" "$word"
done
ca=$home/half
ok 'only domains: networks stay private' "$certs/make-ca" "$ca" --permit corp.example
ok 'private address' "$certs/make-leaf" "$ca" 10.1.2.3
ok 'public address' refuses '"8.8.8.8":' "$certs/make-leaf" "$ca" 8.8.8.8
for word in 10.0.0.0/33 10.0.0.1/8 fd00::/129 1.2.3/8 'x y' 10.0.0.0/ 10.0.0.0/8/8 ''; do
	ok "no permission: $word" refuses "\"$word\":" "$certs/make-ca" "$home/not" --permit "$word"
done
ok 'unknown option' refuses '"--permitt"' "$certs/make-ca" "$home/not" --permitt x
ok 'nothing follows' refuses '--name' "$certs/make-ca" "$home/not" --name
ok 'a second directory' refuses '"b"' "$certs/make-ca" "$home/not" b
ok 'a name of two lines' refuses 'one line' "$certs/make-ca" "$home/not" --name 'a
b'
ok 'nothing was made' test ! -e "$home/not"

# --- certificates of clients ---
ca=$home/clients
ok 'an authority' "$certs/make-ca" "$ca"
verifies_client() {
	openssl verify -CAfile "$ca/ca.pem" -no-CApath -no-CAstore -purpose "$1" "$ca/$2.pem"
}
ok 'a client' says '"cn:anna"' "$certs/make-client" "$ca" anna
ok 'it is one' verifies_client sslclient anna
ok 'and no server' not verifies_client sslserver anna
ok 'its key is its own' test "$(mode_of "$ca/anna.key")" = -rw-------
ok 'names' says '"dns:a.home.arpa"' "$certs/make-client" "$ca" b uri:spiffe://home.arpa/b?x \
	dns:A.home.arpa email:b@home.arpa
ok 'all of them' says 'URI:spiffe://home.arpa/b?x, DNS:a.home.arpa, email:b@home.arpa' \
	openssl x509 -in "$ca/b.pem" -noout -ext subjectAltName
ok 'a host of others' refuses 'may not sign it' "$certs/make-client" "$ca" c dns:www.bank.example
for word in uri: uri:x dns: dns:a_b 'dns:a b' email:x x:y 'uri:a
b:c' 'uri:a:b#c' 'uri:a:b$c' 'uri:a:b\c'; do
	ok "no name: $word" refuses "\"$word" "$certs/make-client" "$ca" c "$word"
done
for word in '' . .. ../x a/b ca server 'a b' -x; do
	ok "no file: $word" refuses "\"$word\":" "$certs/make-client" "$ca" "$word"
done
ok 'nothing was made' test ! -e "$ca/c.pem"

echo "$count checks, $failed failed"
[ "$failed" -le 100 ] || failed=100
exit "$failed"
