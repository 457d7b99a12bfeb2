ALTER TABLE "companies" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31) || ' ' || coalesce("domain", '') || chr(31) || ' ' || coalesce("phone", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "contacts" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("first_name", '') || ' ' || coalesce("last_name", '') || chr(31) || ' ' || coalesce("email", '') || chr(31) || ' ' || coalesce("phone", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "deals" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31) || ' ' || coalesce("email", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "pipelines" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "stages" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
CREATE INDEX "companies_search" ON "companies" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "contacts_search" ON "contacts" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "deals_search" ON "deals" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "users_search" ON "users" USING gin ("workspace_id","search_text" gin_trgm_ops);