-- The roles of Acervo in an empty database: run once by psql as its administrator, who also makes the extension.
--   acervo_owner     owns the tables and migrates them (`acervo migrate --allow acervo_server`)
--   acervo_server    what gateway, serve and work connect as: reads and writes rows, changes no table
--   acervo_observer  sees figures and the states of jobs (observer.sql), no document
-- Passwords are read from files in $SECRETS; an empty one ends the script.
\set ON_ERROR_STOP on
\set owner_password `cat "${SECRETS:-/run/secrets}/db_owner_password"`
\set server_password `cat "${SECRETS:-/run/secrets}/db_server_password"`
\set observer_password `cat "${SECRETS:-/run/secrets}/db_observer_password"`
SELECT 1 / (:'owner_password' <> '' AND :'server_password' <> '' AND :'observer_password' <> '')::int AS passwords_are_set;

CREATE ROLE acervo_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE acervo_server LOGIN PASSWORD :'server_password';
CREATE ROLE acervo_observer LOGIN PASSWORD :'observer_password' CONNECTION LIMIT 8;

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO acervo_owner;
GRANT CONNECT ON DATABASE :"DBNAME" TO acervo_server, acervo_observer;
GRANT pg_read_all_stats TO acervo_observer;

-- For ACERVO_VECTORS=pgvector.
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
