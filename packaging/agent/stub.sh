#!/bin/sh
# smc-agent: this script unpacks the interpreter and the program that follow it, once, and runs them.
# build.py writes the values of the next line.
key=@KEY@ head=@HEAD@ runtime=@RUNTIME@ program=@PROGRAM@
umask 077
case $0 in
    /*) file=$0 ;;
    */*) file=$PWD/$0 ;;
    *) if [ -f "$0" ]; then file=$PWD/$0; else file=$(command -v -- "$0"); fi ;;
esac
[ -f "$file" ] || { echo "smc-agent: cannot find its own file; run it with its path" >&2; exit 1; }

for tool in head tail gzip tar mkdir mv rm; do
    command -v "$tool" >/dev/null || { echo "smc-agent: the program $tool is missing here: install it" >&2; exit 1; }
done

is_ours() { [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]; }

start() {
    root=$1
    shift
    SMC_AGENT_FILE=$file OPENSSL_CONF=/dev/null exec "$root/lib/ld.so" --inhibit-cache --library-path "$root/lib" \
        --argv0 "$root/bin/python3" "$root/bin/python3" -I -S -B -X utf8 "$root/app" "$@"
}

can_execute() {
    printf '#!/bin/sh\nexit 0\n' >"$1/probe.$$" && chmod 700 "$1/probe.$$" && "$1/probe.$$"
    set -- "$1" $?
    rm -f "$1/probe.$$"
    return "$2"
}

unpack() {
    new=$1/new.$$
    mkdir "$new" || return 1
    if tail -c +$((head + 1)) "$file" | head -c "$runtime" | gzip -dc | tar -xf - -C "$new" &&
        tail -c +$((head + runtime + 1)) "$file" | head -c "$program" | gzip -dc | tar -xf - -C "$new" &&
        mv "$new" "$1/$key"; then
        rm -rf "$1/$key/new.$$" # it is in there when another start was faster
    else
        rm -rf "$new"
        return 1
    fi
}

# On a source everything lives in /smc, and the copy is made without it. Elsewhere any folder will do in
# which programs may run: /run and /tmp are often mounted noexec.
case ${1-} in import | run) mine=/smc/.runtime ;; *) [ -d /smc ] && mine=/smc/.runtime || mine= ;; esac
for folder in $mine /var/lib/smc-runtime /opt/smc-runtime /usr/local/lib/smc-runtime /run/smc-runtime \
    /root/.smc-runtime /tmp/smc-runtime; do
    if is_ours "$folder" && is_ours "$folder/$key"; then start "$folder/$key" "$@"; fi
    { mkdir -p "$folder" && is_ours "$folder"; } 2>/dev/null || continue
    if { can_execute "$folder" && unpack "$folder"; } 2>/dev/null; then start "$folder/$key" "$@"; fi
    rmdir "$folder" 2>/dev/null
done
echo "smc-agent: no folder to unpack to: it needs 60 MB in a folder where programs may run, as root" >&2
exit 1
#payload
