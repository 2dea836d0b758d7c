-- Every table with a workspace_id (and workspaces itself): rows of the transaction's workspace only, for everybody but
-- convex_definer. FORCE, so that the owner is no exception. No grants on partitions: a parent's policies do not guard them.
DO $$
DECLARE t record; workspace_column text;
BEGIN
    FOR t IN
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND (c.relname = 'workspaces' OR EXISTS (
              SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped))
    LOOP
        workspace_column := CASE t.relname WHEN 'workspaces' THEN 'id' ELSE 'workspace_id' END;
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.relname);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t.relname);
        EXECUTE format('CREATE POLICY workspace ON %I TO convex_service USING (%I = (SELECT current_workspace())) '
                       'WITH CHECK (%I = (SELECT current_workspace()))', t.relname, workspace_column, workspace_column);
        EXECUTE format('CREATE POLICY across_workspaces ON %I TO convex_definer USING (true) WITH CHECK (true)', t.relname);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO convex_service, convex_definer', t.relname);
    END LOOP;
END $$;
REVOKE UPDATE, DELETE ON audit_log FROM convex_service;
GRANT SELECT, UPDATE ON inbox_shards TO convex_definer;
