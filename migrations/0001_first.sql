CREATE SEQUENCE "public"."event_order" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "event_heads" (
	"workspace_id" uuid PRIMARY KEY NOT NULL,
	"sequence" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "event_log" (
	"workspace_id" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"event_id" uuid NOT NULL,
	"recorded_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "event_log_pkey" PRIMARY KEY("workspace_id","sequence")
);
--> statement-breakpoint
CREATE TABLE "event_outbox" (
	"workspace_id" uuid NOT NULL,
	"ord" bigint NOT NULL,
	"event_id" uuid NOT NULL,
	CONSTRAINT "event_outbox_pkey" PRIMARY KEY("workspace_id","ord")
);
--> statement-breakpoint
CREATE TABLE "events" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"ord" bigint NOT NULL,
	"type" text NOT NULL,
	"resource" text NOT NULL,
	"record_id" uuid NOT NULL,
	"occurred_at" timestamp(3) with time zone NOT NULL,
	"actor_type" text NOT NULL,
	"actor_id" uuid,
	"request_id" text NOT NULL,
	"idempotency_key" text,
	"data" json NOT NULL,
	"previous" jsonb,
	CONSTRAINT "events_pkey" PRIMARY KEY("workspace_id","id")
);
--> statement-breakpoint
CREATE TABLE "external_ids" (
	"workspace_id" uuid NOT NULL,
	"resource" text NOT NULL,
	"source" text NOT NULL,
	"external_id" text NOT NULL,
	"record_id" uuid NOT NULL,
	CONSTRAINT "external_ids_pkey" PRIMARY KEY("workspace_id","resource","source","external_id")
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"workspace_id" uuid NOT NULL,
	"owner" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"status" integer NOT NULL,
	"headers" json NOT NULL,
	"body" text NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY("workspace_id","owner","key")
);
--> statement-breakpoint
CREATE TABLE "record_changes" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"resource" text NOT NULL,
	"record_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"actor_type" text NOT NULL,
	"actor_id" uuid,
	"request_id" text NOT NULL,
	"before" jsonb NOT NULL,
	"after" jsonb NOT NULL,
	CONSTRAINT "record_changes_pkey" PRIMARY KEY("workspace_id","id")
);
--> statement-breakpoint
CREATE TABLE "companies" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"name" text NOT NULL,
	"domain" text,
	"industry" text,
	"employee_count" integer,
	"founded_year" integer,
	"annual_revenue" numeric,
	"currency" text,
	"phone" text,
	"website" text,
	"country" text,
	"address" jsonb,
	"relationships" text[] DEFAULT '{}' NOT NULL,
	"lifecycle_stage" text,
	"source_channel" text,
	"parent_id" uuid,
	"owner_id" uuid,
	CONSTRAINT "companies_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "companies_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "companies_parent_other" CHECK (parent_id <> id)
);
--> statement-breakpoint
CREATE TABLE "contacts" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"first_name" text,
	"last_name" text,
	"email" text,
	"phone" text,
	"job_title" text,
	"company_id" uuid,
	"owner_id" uuid,
	"relationships" text[] DEFAULT '{}' NOT NULL,
	"lifecycle_stage" text,
	"source_channel" text,
	"language" text,
	"time_zone" text,
	"country" text,
	"address" jsonb,
	"birth_date" date,
	"interests" text[] DEFAULT '{}' NOT NULL,
	"needs" text,
	"pain_points" text,
	"tags" text[] DEFAULT '{}' NOT NULL,
	CONSTRAINT "contacts_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "contacts_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "deal_history" (
	"workspace_id" uuid NOT NULL,
	"deal_id" uuid NOT NULL,
	"seq" integer NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"recorded_at" timestamp(3) with time zone NOT NULL,
	"actor_type" text NOT NULL,
	"actor_id" uuid,
	"pipeline_id" uuid,
	"stage_id" uuid,
	"position" integer,
	"kind" text,
	"stage_name" text,
	"pipeline_name" text,
	"valued" boolean NOT NULL,
	"amount" numeric,
	"currency" text,
	"probability" double precision,
	"expected_close_date" date,
	"owner_id" uuid,
	CONSTRAINT "deal_history_pkey" PRIMARY KEY("workspace_id","deal_id","seq")
);
--> statement-breakpoint
CREATE TABLE "deals" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"pipeline_id" uuid NOT NULL,
	"stage_id" uuid NOT NULL,
	"status" text NOT NULL,
	"furthest_position" integer,
	"stage_rows" integer NOT NULL,
	"amount" numeric,
	"currency" text,
	"probability" double precision,
	"forecast_category" text,
	"opened_at" timestamp(3) with time zone NOT NULL,
	"stage_entered_at" timestamp(3) with time zone NOT NULL,
	"expected_close_date" date,
	"closed_at" timestamp(3) with time zone,
	"lost_reason" text,
	"type" text,
	"source_channel" text,
	"company_id" uuid,
	"primary_contact_id" uuid,
	"owner_id" uuid,
	CONSTRAINT "deals_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "deals_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"name" text NOT NULL,
	"scopes" text[] NOT NULL,
	"user_id" uuid,
	"hint" text NOT NULL,
	"secret_hash" text NOT NULL,
	"previous_hash" text,
	"previous_expires_at" timestamp(3) with time zone,
	"expires_at" timestamp(3) with time zone,
	"revoked_at" timestamp(3) with time zone,
	"last_used_at" timestamp(3) with time zone,
	CONSTRAINT "api_keys_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "api_keys_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "users" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"email" text NOT NULL,
	"name" text NOT NULL,
	"role" text DEFAULT 'rep' NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"external_subject" text,
	"password_hash" text,
	CONSTRAINT "users_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "users_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "workspaces" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"name" text NOT NULL,
	"time_zone" text DEFAULT 'UTC' NOT NULL,
	"base_currency" text DEFAULT 'EUR' NOT NULL,
	"fiscal_year_start" text DEFAULT '01-01' NOT NULL,
	"locale" text DEFAULT 'en' NOT NULL,
	CONSTRAINT "workspaces_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "workspaces_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "pipelines" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"name" text NOT NULL,
	"position" integer DEFAULT 0 NOT NULL,
	"lost_reason_required" boolean DEFAULT false NOT NULL,
	CONSTRAINT "pipelines_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "pipelines_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "stages" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"pipeline_id" uuid NOT NULL,
	"name" text NOT NULL,
	"kind" text DEFAULT 'open' NOT NULL,
	"position" integer NOT NULL,
	"probability" double precision,
	"archived" boolean DEFAULT false NOT NULL,
	CONSTRAINT "stages_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "stages_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
ALTER TABLE "companies" ADD CONSTRAINT "companies_owner_fkey" FOREIGN KEY ("workspace_id","owner_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "companies" ADD CONSTRAINT "companies_parent_fkey" FOREIGN KEY ("workspace_id","parent_id") REFERENCES "public"."companies"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "contacts" ADD CONSTRAINT "contacts_company_fkey" FOREIGN KEY ("workspace_id","company_id") REFERENCES "public"."companies"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "contacts" ADD CONSTRAINT "contacts_owner_fkey" FOREIGN KEY ("workspace_id","owner_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deal_history" ADD CONSTRAINT "deal_history_deal_fkey" FOREIGN KEY ("workspace_id","deal_id") REFERENCES "public"."deals"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_pipeline_fkey" FOREIGN KEY ("workspace_id","pipeline_id") REFERENCES "public"."pipelines"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_stage_fkey" FOREIGN KEY ("workspace_id","stage_id") REFERENCES "public"."stages"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_company_fkey" FOREIGN KEY ("workspace_id","company_id") REFERENCES "public"."companies"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_primary_contact_fkey" FOREIGN KEY ("workspace_id","primary_contact_id") REFERENCES "public"."contacts"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_owner_fkey" FOREIGN KEY ("workspace_id","owner_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_user_fkey" FOREIGN KEY ("workspace_id","user_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stages" ADD CONSTRAINT "stages_pipeline_fkey" FOREIGN KEY ("workspace_id","pipeline_id") REFERENCES "public"."pipelines"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "events_record" ON "events" USING btree ("workspace_id","resource","record_id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "record_changes_record" ON "record_changes" USING btree ("workspace_id","resource","record_id","version");--> statement-breakpoint
CREATE INDEX "companies_created" ON "companies" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "companies_updated" ON "companies" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "companies_name" ON "companies" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE INDEX "companies_domain" ON "companies" USING btree ("workspace_id","domain");--> statement-breakpoint
CREATE INDEX "companies_owner" ON "companies" USING btree ("workspace_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "companies_parent" ON "companies" USING btree ("workspace_id","parent_id","created_at","id");--> statement-breakpoint
CREATE INDEX "contacts_created" ON "contacts" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "contacts_updated" ON "contacts" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "contacts_last_name" ON "contacts" USING btree ("workspace_id",(coalesce(lower("last_name"), chr(1114111)) collate "C"),"id");--> statement-breakpoint
CREATE INDEX "contacts_first_name" ON "contacts" USING btree ("workspace_id",(coalesce(lower("first_name"), chr(1114111)) collate "C"),"id");--> statement-breakpoint
CREATE INDEX "contacts_email" ON "contacts" USING btree ("workspace_id",lower("email"));--> statement-breakpoint
CREATE INDEX "contacts_company" ON "contacts" USING btree ("workspace_id","company_id","created_at","id");--> statement-breakpoint
CREATE INDEX "contacts_owner" ON "contacts" USING btree ("workspace_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deal_history_stage" ON "deal_history" USING btree ("workspace_id","stage_id","deal_id");--> statement-breakpoint
CREATE INDEX "deal_history_way" ON "deal_history" USING btree ("workspace_id","deal_id","at","seq","stage_id","kind","position","recorded_at") WHERE stage_id is not null;--> statement-breakpoint
CREATE INDEX "deals_created" ON "deals" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deals_updated" ON "deals" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "deals_name" ON "deals" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE INDEX "deals_opened" ON "deals" USING btree ("workspace_id","opened_at","id");--> statement-breakpoint
CREATE INDEX "deals_closed" ON "deals" USING btree ("workspace_id",coalesce(closed_at, 'infinity'::timestamptz),"id");--> statement-breakpoint
CREATE INDEX "deals_expected" ON "deals" USING btree ("workspace_id",coalesce(expected_close_date, 'infinity'::date),"id");--> statement-breakpoint
CREATE INDEX "deals_stage" ON "deals" USING btree ("workspace_id","stage_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deals_pipeline" ON "deals" USING btree ("workspace_id","pipeline_id","opened_at","id");--> statement-breakpoint
CREATE INDEX "deals_company" ON "deals" USING btree ("workspace_id","company_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deals_contact" ON "deals" USING btree ("workspace_id","primary_contact_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deals_owner" ON "deals" USING btree ("workspace_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "api_keys_created" ON "api_keys" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "api_keys_updated" ON "api_keys" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "users_created" ON "users" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "users_updated" ON "users" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "users_name" ON "users" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE UNIQUE INDEX "users_email_key" ON "users" USING btree ("workspace_id",lower("email")) WHERE deleted_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "users_external_subject_key" ON "users" USING btree ("workspace_id","external_subject") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "workspaces_created" ON "workspaces" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "workspaces_updated" ON "workspaces" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "pipelines_created" ON "pipelines" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "pipelines_updated" ON "pipelines" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "pipelines_name" ON "pipelines" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE INDEX "stages_created" ON "stages" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "stages_updated" ON "stages" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "stages_pipeline" ON "stages" USING btree ("workspace_id","pipeline_id","position","id");