-- +goose Up
-- Row level security keeps organizations apart where the rules of the program would fail: a transaction sees the rows of the organization
-- that it names by the setting seatrial.organization, and none without. The control plane's own work across organizations names no
-- organization but sets seatrial.system, which is of use to the owner of the tables alone: a role that merely uses them cannot look past
-- its organization, whatever it sets.
-- +goose StatementBegin
CREATE FUNCTION "seatrial_organization"() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('seatrial.organization', true), '')::uuid
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION "seatrial_system"() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog AS $$
  -- In here the current user is the owner of the function, who is that of the tables.
  SELECT coalesce(current_setting('seatrial.system', true), '') = 'on' AND pg_has_role(session_user, current_user, 'USAGE')
$$;
-- +goose StatementEnd
-- seatrial_protect protects a table, or does nothing when it is. The control plane calls it for every table at each start, and for each
-- partition that it makes. A reference to a row of another organization is refused by a trigger: the foreign key itself looks past the
-- policies.
-- +goose StatementBegin
CREATE FUNCTION "seatrial_protect"(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := (SELECT relname FROM pg_class WHERE oid = target);
  owned boolean := EXISTS (SELECT FROM pg_attribute WHERE attrelid = target AND attname = 'organization_id' AND NOT attisdropped);
  admitted text := '(SELECT seatrial_system())';
  key record;
  body text := '';
  columns text := 'organization_id';
BEGIN
  IF owned THEN
    admitted := 'organization_id = (SELECT seatrial_organization()) OR ' || admitted;
  ELSIF name = 'organizations' THEN
    admitted := 'id = (SELECT seatrial_organization()) OR ' || admitted;
  END IF;
  IF NOT (SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = target) THEN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', target);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = target AND polname = 'seatrial_organization') THEN
    EXECUTE format('CREATE POLICY seatrial_organization ON %s USING (%s)', target, admitted);
  END IF;
  IF NOT owned THEN
    RETURN;
  END IF;
  FOR key IN
    SELECT c.confrelid::regclass AS parent, a.attname AS col, p.attname AS id FROM pg_constraint AS c
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    JOIN pg_attribute AS p ON p.attrelid = c.confrelid AND p.attnum = c.confkey[1]
    WHERE c.conrelid = target AND c.contype = 'f' AND cardinality(c.conkey) = 1
      AND EXISTS (SELECT FROM pg_attribute AS o WHERE o.attrelid = c.confrelid AND o.attname = 'organization_id' AND NOT o.attisdropped)
    ORDER BY a.attname
  LOOP
    columns := columns || format(', %I', key.col);
    body := body || format(E'  IF NEW.%1$I IS NOT NULL AND NOT EXISTS (SELECT FROM %2$s WHERE %3$I = NEW.%1$I AND organization_id = NEW.organization_id) THEN\n'
      '    RAISE foreign_key_violation USING MESSAGE = %4$L;\n  END IF;\n',
      key.col, key.parent, key.id, format('a row of %s violates foreign key constraint: its %s is not of its organization', name, key.col));
  END LOOP;
  IF body = '' THEN
    RETURN;
  END IF;
  body := E'\nBEGIN\n' || body || E'  RETURN NULL;\nEND ';
  IF EXISTS (SELECT FROM pg_proc AS f JOIN pg_trigger AS t ON t.tgfoid = f.oid WHERE t.tgrelid = target AND t.tgname = 'seatrial_organization' AND f.prosrc = body) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE OR REPLACE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS %L', 'seatrial_same_' || name, body);
  EXECUTE format('DROP TRIGGER IF EXISTS seatrial_organization ON %s', target);
  EXECUTE format('CREATE TRIGGER seatrial_organization AFTER INSERT OR UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION %I()', columns, target, 'seatrial_same_' || name);
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE
  one record;
BEGIN
  FOR one IN SELECT polrelid::regclass AS target FROM pg_policy WHERE polname = 'seatrial_organization' LOOP
    EXECUTE format('DROP POLICY seatrial_organization ON %s', one.target);
    EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', one.target);
  END LOOP;
  FOR one IN SELECT tgrelid::regclass AS target, tgfoid::regprocedure AS called FROM pg_trigger WHERE tgname = 'seatrial_organization' LOOP
    EXECUTE format('DROP TRIGGER seatrial_organization ON %s', one.target);
    EXECUTE format('DROP FUNCTION %s', one.called);
  END LOOP;
END $$;
-- +goose StatementEnd
DROP FUNCTION "seatrial_protect"(regclass);
DROP FUNCTION "seatrial_system"();
DROP FUNCTION "seatrial_organization"();
