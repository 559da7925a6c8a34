-- What every staging view needs. Functions are put into the models that use them.

CREATE FUNCTION tidy(value) AS (nullif(trim(value), ''));

-- Yes, YES, true, 1 … and their opposites. Whatever else somebody typed is NULL: not known is not "no".
CREATE FUNCTION yes_or_no(value) AS (
  CASE
    WHEN lower(trim(value)) IN ('yes', 'y', 'true', 't', '1') THEN true
    WHEN lower(trim(value)) IN ('no', 'n', 'false', 'f', '0') THEN false
  END
);
