CREATE TABLE "activities" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"type" text NOT NULL,
	"direction" text,
	"subject" text,
	"body" text,
	"status" text DEFAULT 'completed' NOT NULL,
	"due_at" timestamp(3) with time zone,
	"occurred_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp(3) with time zone,
	"completed_at" timestamp(3) with time zone,
	"outcome" text,
	"channel" text,
	"campaign_id" uuid,
	"contact_id" uuid,
	"company_id" uuid,
	"lead_id" uuid,
	"deal_id" uuid,
	"owner_id" uuid,
	"search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("subject", '') || chr(31))) STORED NOT NULL,
	CONSTRAINT "activities_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "activities_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "activities_ended" CHECK (ended_at >= occurred_at),
	CONSTRAINT "activities_completed" CHECK ((status = 'completed') = (completed_at is not null))
);
--> statement-breakpoint
CREATE TABLE "campaigns" (
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
	"channel" text,
	"direction" text,
	"start_date" date,
	"end_date" date,
	"budget" numeric,
	"currency" text,
	"search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL,
	CONSTRAINT "campaigns_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "campaigns_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "campaigns_dates" CHECK (end_date >= start_date)
);
--> statement-breakpoint
CREATE TABLE "costs" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"date" date,
	"from" date,
	"to" date,
	"category" text DEFAULT 'marketing' NOT NULL,
	"campaign_id" uuid,
	"channel" text,
	"amount" numeric NOT NULL,
	"currency" text NOT NULL,
	"description" text,
	CONSTRAINT "costs_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "costs_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "costs_when" CHECK ((date is null) <> ("from" is null) and ("from" is null) = ("to" is null)),
	CONSTRAINT "costs_span" CHECK ("to" >= "from"),
	CONSTRAINT "costs_amount" CHECK (amount >= 0)
);
--> statement-breakpoint
CREATE TABLE "deal_contacts" (
	"workspace_id" uuid NOT NULL,
	"deal_id" uuid NOT NULL,
	"contact_id" uuid NOT NULL,
	"role" text,
	CONSTRAINT "deal_contacts_pkey" PRIMARY KEY("workspace_id","deal_id","contact_id")
);
--> statement-breakpoint
CREATE TABLE "exchange_rates" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"date" date NOT NULL,
	"currency" text NOT NULL,
	"rate_to_base" numeric NOT NULL,
	CONSTRAINT "exchange_rates_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "exchange_rates_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
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
	"search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL,
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
	"search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL,
	CONSTRAINT "teams_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "teams_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "leads" (
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
	"company_name" text,
	"company_domain" text,
	"industry" text,
	"country" text,
	"language" text,
	"description" text,
	"captured_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"source_channel" text,
	"campaign_id" uuid,
	"landing_page" text,
	"status" text DEFAULT 'new' NOT NULL,
	"working_at" timestamp(3) with time zone,
	"nurturing_at" timestamp(3) with time zone,
	"qualified_at" timestamp(3) with time zone,
	"unqualified_at" timestamp(3) with time zone,
	"converted_at" timestamp(3) with time zone,
	"unqualified_reason" text,
	"budget" text DEFAULT 'unknown' NOT NULL,
	"authority" text DEFAULT 'unknown' NOT NULL,
	"need" text DEFAULT 'unknown' NOT NULL,
	"timeline" text DEFAULT 'unknown' NOT NULL,
	"score" double precision,
	"score_breakdown" jsonb,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"owner_id" uuid,
	"contact_id" uuid,
	"company_id" uuid,
	"deal_id" uuid,
	"search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("first_name", '') || ' ' || coalesce("last_name", '') || chr(31) || ' ' || coalesce("email", '') || chr(31) || ' ' || coalesce("phone", '') || chr(31) || ' ' || coalesce("company_name", '') || chr(31) || ' ' || coalesce("company_domain", '') || chr(31))) STORED NOT NULL,
	CONSTRAINT "leads_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "leads_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "leads_known" CHECK (coalesce(first_name, last_name, email, phone, company_name) is not null)
);
--> statement-breakpoint
CREATE TABLE "lifecycle_history" (
	"workspace_id" uuid NOT NULL,
	"resource" text NOT NULL,
	"record_id" uuid NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"seq" bigint NOT NULL,
	"id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"recorded_at" timestamp(3) with time zone NOT NULL,
	"stage" text,
	"actor_type" text NOT NULL,
	"actor_id" uuid,
	CONSTRAINT "lifecycle_history_pkey" PRIMARY KEY("workspace_id","resource","record_id","at","seq")
);
--> statement-breakpoint
CREATE TABLE "orders" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"number" text,
	"company_id" uuid,
	"contact_id" uuid,
	"deal_id" uuid,
	"product_id" uuid,
	"amount" numeric,
	"currency" text,
	"direct_cost" numeric,
	"ordered_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"owner_id" uuid,
	"customer_id" uuid GENERATED ALWAYS AS (coalesce(company_id, contact_id)) STORED,
	"search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("number", '') || chr(31))) STORED NOT NULL,
	CONSTRAINT "orders_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "orders_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "orders_customer" CHECK (company_id is not null or contact_id is not null),
	CONSTRAINT "orders_amount_currency" CHECK (amount is null or currency is not null)
);
--> statement-breakpoint
CREATE TABLE "products" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"name" text NOT NULL,
	"code" text,
	"family" text,
	"description" text,
	"list_price" numeric,
	"currency" text,
	"search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31) || ' ' || coalesce("code", '') || chr(31) || ' ' || coalesce("family", '') || chr(31))) STORED NOT NULL,
	CONSTRAINT "products_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "products_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
CREATE TABLE "touches" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"lead_id" uuid,
	"contact_id" uuid,
	"channel" text NOT NULL,
	"campaign_id" uuid,
	"occurred_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"seq" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "touches_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "touches_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "touches_whom" CHECK (lead_id is not null or contact_id is not null)
);
--> statement-breakpoint
CREATE TABLE "webhook_attempts" (
	"workspace_id" uuid NOT NULL,
	"webhook_id" uuid NOT NULL,
	"event_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"duration_ms" integer NOT NULL,
	"url" text NOT NULL,
	"request_headers" json NOT NULL,
	"response_status" integer,
	"response_body" text,
	"error" text,
	CONSTRAINT "webhook_attempts_pkey" PRIMARY KEY("workspace_id","webhook_id","event_id","number")
);
--> statement-breakpoint
CREATE TABLE "webhook_deliveries" (
	"workspace_id" uuid NOT NULL,
	"webhook_id" uuid NOT NULL,
	"event_id" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"type" text NOT NULL,
	"resource" text NOT NULL,
	"record_id" uuid NOT NULL,
	"occurred_at" timestamp(3) with time zone NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"failing_since" timestamp(3) with time zone,
	"next_attempt_at" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone NOT NULL,
	"delivered_at" timestamp(3) with time zone,
	"body" json,
	CONSTRAINT "webhook_deliveries_pkey" PRIMARY KEY("workspace_id","webhook_id","event_id")
);
--> statement-breakpoint
CREATE TABLE "webhook_states" (
	"workspace_id" uuid NOT NULL,
	"webhook_id" uuid NOT NULL,
	"cursor" bigint NOT NULL,
	"lease_id" uuid,
	"lease_until" timestamp(3) with time zone,
	"due_at" timestamp(3) with time zone,
	"hold_until" timestamp(3) with time zone,
	"holds" integer DEFAULT 0 NOT NULL,
	"failing_since" timestamp(3) with time zone,
	"width" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "webhook_states_pkey" PRIMARY KEY("workspace_id","webhook_id")
);
--> statement-breakpoint
CREATE TABLE "webhooks" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"url" text NOT NULL,
	"description" text,
	"types" text[] DEFAULT '{"*"}' NOT NULL,
	"filter" jsonb,
	"payload" text DEFAULT 'full' NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"skip_own" boolean DEFAULT false NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"status_reason" text,
	"consecutive_failures" integer DEFAULT 0 NOT NULL,
	"failed_deliveries" integer DEFAULT 0 NOT NULL,
	"last_delivered_at" timestamp(3) with time zone,
	"last_failure_at" timestamp(3) with time zone,
	"oldest_undelivered_at" timestamp(3) with time zone,
	"parked_at" timestamp(3) with time zone,
	"previous_secret_expires_at" timestamp(3) with time zone,
	"credential_type" text NOT NULL,
	"credential_id" uuid,
	"scopes" text[] NOT NULL,
	"secret" text NOT NULL,
	"previous_secret" text,
	CONSTRAINT "webhooks_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "webhooks_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200)
);
--> statement-breakpoint
ALTER TABLE "event_heads" ADD COLUMN "forgotten" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "companies" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31) || ' ' || coalesce("domain", '') || chr(31) || ' ' || coalesce("phone", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "contacts" ADD COLUMN "campaign_id" uuid;--> statement-breakpoint
ALTER TABLE "contacts" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("first_name", '') || ' ' || coalesce("last_name", '') || chr(31) || ' ' || coalesce("email", '') || chr(31) || ' ' || coalesce("phone", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "deals" ADD COLUMN "campaign_id" uuid;--> statement-breakpoint
ALTER TABLE "deals" ADD COLUMN "product_id" uuid;--> statement-breakpoint
ALTER TABLE "deals" ADD COLUMN "contacts" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "deals" ADD COLUMN "lead_id" uuid;--> statement-breakpoint
ALTER TABLE "deals" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "team_id" uuid;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "region" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31) || ' ' || coalesce("email", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "pipelines" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "stages" ADD COLUMN "search_text" text GENERATED ALWAYS AS (search_normal(chr(31) || ' ' || coalesce("name", '') || chr(31))) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "activities" ADD CONSTRAINT "activities_campaign_fkey" FOREIGN KEY ("workspace_id","campaign_id") REFERENCES "public"."campaigns"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "activities" ADD CONSTRAINT "activities_contact_fkey" FOREIGN KEY ("workspace_id","contact_id") REFERENCES "public"."contacts"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "activities" ADD CONSTRAINT "activities_company_fkey" FOREIGN KEY ("workspace_id","company_id") REFERENCES "public"."companies"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "activities" ADD CONSTRAINT "activities_lead_fkey" FOREIGN KEY ("workspace_id","lead_id") REFERENCES "public"."leads"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "activities" ADD CONSTRAINT "activities_deal_fkey" FOREIGN KEY ("workspace_id","deal_id") REFERENCES "public"."deals"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "activities" ADD CONSTRAINT "activities_owner_fkey" FOREIGN KEY ("workspace_id","owner_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "costs" ADD CONSTRAINT "costs_campaign_fkey" FOREIGN KEY ("workspace_id","campaign_id") REFERENCES "public"."campaigns"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deal_contacts" ADD CONSTRAINT "deal_contacts_deal_fkey" FOREIGN KEY ("workspace_id","deal_id") REFERENCES "public"."deals"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deal_contacts" ADD CONSTRAINT "deal_contacts_contact_fkey" FOREIGN KEY ("workspace_id","contact_id") REFERENCES "public"."contacts"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "teams" ADD CONSTRAINT "teams_manager_fkey" FOREIGN KEY ("workspace_id","manager_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "teams" ADD CONSTRAINT "teams_parent_fkey" FOREIGN KEY ("workspace_id","parent_id") REFERENCES "public"."teams"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "leads" ADD CONSTRAINT "leads_campaign_fkey" FOREIGN KEY ("workspace_id","campaign_id") REFERENCES "public"."campaigns"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "leads" ADD CONSTRAINT "leads_owner_fkey" FOREIGN KEY ("workspace_id","owner_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "leads" ADD CONSTRAINT "leads_contact_fkey" FOREIGN KEY ("workspace_id","contact_id") REFERENCES "public"."contacts"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "leads" ADD CONSTRAINT "leads_company_fkey" FOREIGN KEY ("workspace_id","company_id") REFERENCES "public"."companies"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "leads" ADD CONSTRAINT "leads_deal_fkey" FOREIGN KEY ("workspace_id","deal_id") REFERENCES "public"."deals"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_company_fkey" FOREIGN KEY ("workspace_id","company_id") REFERENCES "public"."companies"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_contact_fkey" FOREIGN KEY ("workspace_id","contact_id") REFERENCES "public"."contacts"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_deal_fkey" FOREIGN KEY ("workspace_id","deal_id") REFERENCES "public"."deals"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_product_fkey" FOREIGN KEY ("workspace_id","product_id") REFERENCES "public"."products"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_owner_fkey" FOREIGN KEY ("workspace_id","owner_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "touches" ADD CONSTRAINT "touches_lead_fkey" FOREIGN KEY ("workspace_id","lead_id") REFERENCES "public"."leads"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "touches" ADD CONSTRAINT "touches_contact_fkey" FOREIGN KEY ("workspace_id","contact_id") REFERENCES "public"."contacts"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "touches" ADD CONSTRAINT "touches_campaign_fkey" FOREIGN KEY ("workspace_id","campaign_id") REFERENCES "public"."campaigns"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_webhook_fkey" FOREIGN KEY ("workspace_id","webhook_id") REFERENCES "public"."webhooks"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_states" ADD CONSTRAINT "webhook_states_webhook_fkey" FOREIGN KEY ("workspace_id","webhook_id") REFERENCES "public"."webhooks"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "activities_created" ON "activities" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "activities_updated" ON "activities" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "activities_search" ON "activities" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "activities_occurred" ON "activities" USING btree ("workspace_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "activities_due" ON "activities" USING btree ("workspace_id",coalesce(due_at, 'infinity'::timestamptz),"id");--> statement-breakpoint
CREATE INDEX "activities_todo" ON "activities" USING btree ("workspace_id","owner_id",coalesce(due_at, 'infinity'::timestamptz),"id") WHERE status = 'planned' and deleted_at is null;--> statement-breakpoint
CREATE INDEX "activities_todo_all" ON "activities" USING btree ("workspace_id",coalesce(due_at, 'infinity'::timestamptz),"id") WHERE status = 'planned' and deleted_at is null;--> statement-breakpoint
CREATE INDEX "activities_contact" ON "activities" USING btree ("workspace_id","contact_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "activities_company" ON "activities" USING btree ("workspace_id","company_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "activities_lead" ON "activities" USING btree ("workspace_id","lead_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "activities_deal" ON "activities" USING btree ("workspace_id","deal_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "activities_owner" ON "activities" USING btree ("workspace_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "activities_campaign" ON "activities" USING btree ("workspace_id","campaign_id","created_at","id");--> statement-breakpoint
CREATE INDEX "campaigns_created" ON "campaigns" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "campaigns_updated" ON "campaigns" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "campaigns_search" ON "campaigns" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "campaigns_name" ON "campaigns" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE INDEX "costs_created" ON "costs" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "costs_updated" ON "costs" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "costs_campaign" ON "costs" USING btree ("workspace_id","campaign_id","created_at","id");--> statement-breakpoint
CREATE INDEX "costs_date" ON "costs" USING btree ("workspace_id",coalesce("date", 'infinity'::date),"id");--> statement-breakpoint
CREATE INDEX "deal_contacts_contact" ON "deal_contacts" USING btree ("workspace_id","contact_id","deal_id");--> statement-breakpoint
CREATE INDEX "exchange_rates_created" ON "exchange_rates" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "exchange_rates_updated" ON "exchange_rates" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "exchange_rates_day_key" ON "exchange_rates" USING btree ("workspace_id","currency","date") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "roles_created" ON "roles" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "roles_updated" ON "roles" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "roles_name" ON "roles" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE UNIQUE INDEX "roles_key_key" ON "roles" USING btree ("workspace_id","key") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "teams_created" ON "teams" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "teams_updated" ON "teams" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "teams_name" ON "teams" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE INDEX "teams_manager" ON "teams" USING btree ("workspace_id","manager_id","created_at","id");--> statement-breakpoint
CREATE INDEX "teams_parent" ON "teams" USING btree ("workspace_id","parent_id","created_at","id");--> statement-breakpoint
CREATE INDEX "leads_created" ON "leads" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "leads_updated" ON "leads" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "leads_search" ON "leads" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "leads_captured" ON "leads" USING btree ("workspace_id","captured_at","id");--> statement-breakpoint
CREATE INDEX "leads_last_name" ON "leads" USING btree ("workspace_id",(coalesce(lower("last_name"), chr(1114111)) collate "C"),"id");--> statement-breakpoint
CREATE INDEX "leads_email" ON "leads" USING btree ("workspace_id",lower("email"));--> statement-breakpoint
CREATE INDEX "leads_status" ON "leads" USING btree ("workspace_id","status","captured_at","id");--> statement-breakpoint
CREATE INDEX "leads_owner" ON "leads" USING btree ("workspace_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "leads_campaign" ON "leads" USING btree ("workspace_id","campaign_id","captured_at","id");--> statement-breakpoint
CREATE INDEX "leads_contact" ON "leads" USING btree ("workspace_id","contact_id","created_at","id");--> statement-breakpoint
CREATE INDEX "leads_company" ON "leads" USING btree ("workspace_id","company_id","created_at","id");--> statement-breakpoint
CREATE INDEX "leads_deal" ON "leads" USING btree ("workspace_id","deal_id","created_at","id");--> statement-breakpoint
CREATE INDEX "lifecycle_history_stage" ON "lifecycle_history" USING btree ("workspace_id","resource","stage","record_id","at");--> statement-breakpoint
CREATE INDEX "orders_created" ON "orders" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "orders_updated" ON "orders" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "orders_search" ON "orders" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "orders_ordered" ON "orders" USING btree ("workspace_id","ordered_at","id");--> statement-breakpoint
CREATE INDEX "orders_company" ON "orders" USING btree ("workspace_id","company_id","ordered_at","id");--> statement-breakpoint
CREATE INDEX "orders_contact" ON "orders" USING btree ("workspace_id","contact_id","ordered_at","id");--> statement-breakpoint
CREATE INDEX "orders_customer" ON "orders" USING btree ("workspace_id","customer_id","ordered_at","currency","amount","direct_cost","created_at") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "orders_deal" ON "orders" USING btree ("workspace_id","deal_id","created_at","id");--> statement-breakpoint
CREATE INDEX "orders_product" ON "orders" USING btree ("workspace_id","product_id","created_at","id");--> statement-breakpoint
CREATE INDEX "orders_owner" ON "orders" USING btree ("workspace_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "products_created" ON "products" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "products_updated" ON "products" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "products_search" ON "products" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "products_name" ON "products" USING btree ("workspace_id",(lower("name") collate "C"),"id");--> statement-breakpoint
CREATE UNIQUE INDEX "products_code_key" ON "products" USING btree ("workspace_id","code") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "touches_created" ON "touches" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "touches_updated" ON "touches" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "touches_occurred" ON "touches" USING btree ("workspace_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "touches_lead" ON "touches" USING btree ("workspace_id","lead_id","occurred_at","seq");--> statement-breakpoint
CREATE INDEX "touches_contact" ON "touches" USING btree ("workspace_id","contact_id","occurred_at","seq");--> statement-breakpoint
CREATE INDEX "touches_campaign" ON "touches" USING btree ("workspace_id","campaign_id","created_at","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_log" ON "webhook_deliveries" USING btree ("workspace_id","webhook_id","created_at","event_id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_pending" ON "webhook_deliveries" USING btree ("workspace_id","webhook_id","sequence") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "webhook_deliveries_stream" ON "webhook_deliveries" USING btree ("workspace_id","webhook_id","record_id","sequence") WHERE status in ('pending', 'failed');--> statement-breakpoint
CREATE INDEX "webhook_deliveries_waiting" ON "webhook_deliveries" USING btree ("workspace_id","webhook_id","record_id") WHERE status = 'failed' or next_attempt_at is not null;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_old" ON "webhook_deliveries" USING btree ("created_at") WHERE status in ('delivered', 'skipped');--> statement-breakpoint
CREATE INDEX "webhooks_created" ON "webhooks" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "webhooks_updated" ON "webhooks" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
ALTER TABLE "contacts" ADD CONSTRAINT "contacts_campaign_fkey" FOREIGN KEY ("workspace_id","campaign_id") REFERENCES "public"."campaigns"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_campaign_fkey" FOREIGN KEY ("workspace_id","campaign_id") REFERENCES "public"."campaigns"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_product_fkey" FOREIGN KEY ("workspace_id","product_id") REFERENCES "public"."products"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_team_fkey" FOREIGN KEY ("workspace_id","team_id") REFERENCES "public"."teams"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "record_changes_time" ON "record_changes" USING btree ("workspace_id","resource","record_id","at","id");--> statement-breakpoint
CREATE INDEX "companies_search" ON "companies" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "companies_bin" ON "companies" USING btree ("workspace_id","id") WHERE deleted_at is not null;--> statement-breakpoint
CREATE INDEX "contacts_search" ON "contacts" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "contacts_bin" ON "contacts" USING btree ("workspace_id","id") WHERE deleted_at is not null;--> statement-breakpoint
CREATE INDEX "contacts_campaign" ON "contacts" USING btree ("workspace_id","campaign_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deals_search" ON "deals" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "deals_lead" ON "deals" USING btree ("workspace_id","lead_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deals_campaign" ON "deals" USING btree ("workspace_id","campaign_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deals_product" ON "deals" USING btree ("workspace_id","product_id","created_at","id");--> statement-breakpoint
CREATE INDEX "users_search" ON "users" USING gin ("workspace_id","search_text" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "users_team" ON "users" USING btree ("workspace_id","team_id","created_at","id");--> statement-breakpoint
CREATE INDEX "users_role" ON "users" USING btree ("workspace_id","role");