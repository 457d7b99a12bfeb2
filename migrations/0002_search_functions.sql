-- A search looks for words within one workspace, accents aside; both extensions are trusted, so no superuser is needed.
CREATE EXTENSION IF NOT EXISTS btree_gin;
--> statement-breakpoint
CREATE EXTENSION IF NOT EXISTS unaccent;
--> statement-breakpoint
-- Folds text for searching: compatible forms, case and accents are gone (Latin, Greek, Cyrillic; the optional points of
-- Arabic and Hebrew; invisible characters), the vowel signs of Indic scripts stay. Words stand after single blanks, also
-- those after punctuation. Separators (31) keep texts apart. The dictionary is named with its schema: that makes the
-- function immutable and lets a dump be restored.
DO $do$
DECLARE
  home text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'unaccent');
BEGIN
  EXECUTE format($create$
    CREATE FUNCTION search_normal(given text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
    DECLARE
      folded text;
    BEGIN
      IF octet_length(given) = length(given) THEN
        folded := lower(given COLLATE "C");
      ELSE
        folded := normalize(regexp_replace(
          translate(lower(%1$I.unaccent('%1$I.unaccent', lower(normalize(given, NFKD))) COLLATE "C"), 'ς', 'σ'),
          '[\u00ad\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670'
            '\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u2069'
            '\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff]+',
          '', 'g'), NFC);
      END IF;
      RETURN replace(
        regexp_replace(
          regexp_replace(folded, '([!-/:-@\[-`{-~\u060c\u061b\u061f\u06d4\u0964\u0965\u2010-\u205e\u3001\u3002]+)', '\1 ', 'g'),
          '\s+', ' ', 'g'),
        ' ' || chr(31), chr(31));
    END
    $body$
  $create$, home);
END
$do$;
--> statement-breakpoint
-- The pattern of one word that is searched for: contained, or under three characters the beginning of a word.
CREATE FUNCTION search_pattern(word text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$
  SELECT CASE WHEN length(replace(folded, ' ', '')) < 3 THEN '% ' ELSE '%' END
    || regexp_replace(folded, '([\\%_])', '\\\1', 'g') || '%'
  FROM (SELECT btrim(search_normal(word))) AS w (folded)
$body$;
--> statement-breakpoint
-- The pattern of a text that is all of one of the texts that are searched.
CREATE FUNCTION search_exact(whole text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$
  SELECT '%' || chr(31) || ' ' || regexp_replace(btrim(search_normal(whole)), '([\\%_])', '\\\1', 'g') || chr(31) || '%'
$body$;
