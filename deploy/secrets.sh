#!/bin/sh
# Makes the secrets that compose.yaml refers to, each once: what is there already stays as it is.
# The folder is closed to others; the files in it can be read by the containers' users, who are none of this machine's.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets

fresh() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

[ -e postgres-password ] || fresh > postgres-password
[ -e redis-password ] || fresh > redis-password
[ -e grafana-password ] || fresh > grafana-password
[ -e site-key ] || head -c 32 /dev/urandom > site-key

printf 'postgresql://isthmus:%s@postgres:5432/isthmus' "$(cat postgres-password)" > store-url.new
printf 'redis://:%s@redis:6379/0' "$(cat redis-password)" > redis-url.new
printf 'requirepass %s\n' "$(cat redis-password)" > redis.conf.new
for name in store-url redis-url redis.conf; do
    mv -f "$name.new" "$name"
done
chmod 0444 -- *
