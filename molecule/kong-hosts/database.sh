#!/bin/sh
# A PostgreSQL that others reach with TLS and a password only.
set -eu
version=$(ls /etc/postgresql | grep '^[0-9]' | head -1)
conf=/etc/postgresql/$version/main
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=database" \
  -addext "subjectAltName=IP:$ADDRESS" -keyout /etc/postgresql/server.key -out /etc/postgresql/server.crt
chown postgres:postgres /etc/postgresql/server.key /etc/postgresql/server.crt
chmod 600 /etc/postgresql/server.key
cat >"$conf/conf.d/lab.conf" <<END
listen_addresses = '*'
ssl_cert_file = '/etc/postgresql/server.crt'
ssl_key_file = '/etc/postgresql/server.key'
fsync = off
END
echo 'hostssl all all 0.0.0.0/0 scram-sha-256' >>"$conf/pg_hba.conf"
systemctl restart "postgresql@$version-main"
su postgres -c psql <<END
\set password \`printenv PASSWORD\`
CREATE ROLE kong LOGIN PASSWORD :'password';
CREATE DATABASE kong OWNER kong;
END
