-- Amounts of before that say no currency were in the base currency of their workspace.
UPDATE "companies" t SET "currency" = w."base_currency" FROM "workspaces" w
WHERE w."workspace_id" = t."workspace_id" AND t."currency" IS NULL AND t."annual_revenue" IS NOT NULL;--> statement-breakpoint
UPDATE "deals" t SET "currency" = w."base_currency" FROM "workspaces" w
WHERE w."workspace_id" = t."workspace_id" AND t."currency" IS NULL AND t."amount" IS NOT NULL;--> statement-breakpoint
UPDATE "deal_history" t SET "currency" = w."base_currency" FROM "workspaces" w
WHERE w."workspace_id" = t."workspace_id" AND t."currency" IS NULL AND t."amount" IS NOT NULL;
