-- Words are found by their parts in any script; the extension is trusted, so no superuser is needed.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
