-- What those who watch and scale may read, once the tables are there: run as acervo_owner, again after each migration.
-- Columns, not tables: neither names of documents nor their text can be read with it.
GRANT USAGE ON SCHEMA rag_server TO acervo_observer;
GRANT SELECT (state, kind, create_time, next_attempt_time) ON rag_server.job TO acervo_observer;
