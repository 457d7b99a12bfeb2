CREATE TABLE "roles" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"scopes" text[] NOT NULL,
	"row_scope" text NOT NULL,
	CONSTRAINT "roles_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "roles_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "teams" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"name" text NOT NULL,
	"manager_id" uuid,
	"parent_id" uuid,
	CONSTRAINT "teams_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "teams_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "team_id" uuid;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "region" text;--> statement-breakpoint
ALTER TABLE "teams" ADD CONSTRAINT "teams_manager_fkey" FOREIGN KEY ("workspace_id","manager_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "teams" ADD CONSTRAINT "teams_parent_fkey" FOREIGN KEY ("workspace_id","parent_id") REFERENCES "public"."teams"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "roles_created" ON "roles" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "roles_updated" ON "roles" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "roles_name" ON "roles" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE UNIQUE INDEX "roles_key_key" ON "roles" USING btree ("workspace_id","key") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "teams_created" ON "teams" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "teams_updated" ON "teams" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "teams_name" ON "teams" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE INDEX "teams_manager" ON "teams" USING btree ("workspace_id","manager_id","created_at","id");--> statement-breakpoint
CREATE INDEX "teams_parent" ON "teams" USING btree ("workspace_id","parent_id","created_at","id");--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_team_fkey" FOREIGN KEY ("workspace_id","team_id") REFERENCES "public"."teams"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "users_team" ON "users" USING btree ("workspace_id","team_id","created_at","id");--> statement-breakpoint
CREATE INDEX "users_role" ON "users" USING btree ("workspace_id","role");