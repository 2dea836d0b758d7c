-- As in 0001: every table with a workspace_id that this revision added, for everybody but convex_definer.
-- What a table grants beyond that, or takes away, its own file's comment says and the end of this one does.
DO $$
DECLARE t record;
BEGIN
    FOR t IN
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND EXISTS (SELECT FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped)
          AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'workspace')
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.relname);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t.relname);
        EXECUTE format('CREATE POLICY workspace ON %I TO convex_service USING (workspace_id = (SELECT current_workspace())) '
                       'WITH CHECK (workspace_id = (SELECT current_workspace()))', t.relname);
        EXECUTE format('CREATE POLICY across_workspaces ON %I TO convex_definer USING (true) WITH CHECK (true)', t.relname);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO convex_service, convex_definer', t.relname);
    END LOOP;
END $$;
REVOKE INSERT, UPDATE, DELETE ON audit_log, audit_head FROM convex_service; -- audit_append alone writes them
REVOKE UPDATE, DELETE ON audit_log FROM convex_definer;
