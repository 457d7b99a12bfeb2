CREATE TABLE "scoring_rules" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"field" text NOT NULL,
	"condition" jsonb NOT NULL,
	"points" integer NOT NULL,
	"group" text NOT NULL,
	"half_life_days" integer,
	CONSTRAINT "scoring_rules_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "scoring_rules_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "scoring_rules_half_life" CHECK (half_life_days is null or "group" = 'activity')
);
--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"workspace_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"deleted_at" timestamp(3) with time zone,
	"external_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"custom_fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"company_id" uuid,
	"contact_id" uuid,
	"plan" text,
	"term" text,
	"start_date" date NOT NULL,
	"end_date" date,
	"recurring_amount" numeric,
	"currency" text,
	"interval" text DEFAULT 'month' NOT NULL,
	"owner_id" uuid,
	"customer_id" uuid GENERATED ALWAYS AS (coalesce(company_id, contact_id)) STORED,
	CONSTRAINT "subscriptions_pkey" PRIMARY KEY("workspace_id","id"),
	CONSTRAINT "subscriptions_custom_fields_size" CHECK (jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200),
	CONSTRAINT "subscriptions_customer" CHECK (company_id is not null or contact_id is not null),
	CONSTRAINT "subscriptions_dates" CHECK (end_date >= start_date),
	CONSTRAINT "subscriptions_amount" CHECK (recurring_amount >= 0),
	CONSTRAINT "subscriptions_amount_currency" CHECK (recurring_amount is null or currency is not null)
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
ALTER TABLE "orders" DROP CONSTRAINT "orders_amount_currency";--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_company_fkey" FOREIGN KEY ("workspace_id","company_id") REFERENCES "public"."companies"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_contact_fkey" FOREIGN KEY ("workspace_id","contact_id") REFERENCES "public"."contacts"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_owner_fkey" FOREIGN KEY ("workspace_id","owner_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_webhook_fkey" FOREIGN KEY ("workspace_id","webhook_id") REFERENCES "public"."webhooks"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_states" ADD CONSTRAINT "webhook_states_webhook_fkey" FOREIGN KEY ("workspace_id","webhook_id") REFERENCES "public"."webhooks"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "scoring_rules_created" ON "scoring_rules" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "scoring_rules_updated" ON "scoring_rules" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "subscriptions_created" ON "subscriptions" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "subscriptions_updated" ON "subscriptions" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "subscriptions_start" ON "subscriptions" USING btree ("workspace_id","start_date","id");--> statement-breakpoint
CREATE INDEX "subscriptions_end" ON "subscriptions" USING btree ("workspace_id",coalesce("end_date", 'infinity'::date),"id");--> statement-breakpoint
CREATE INDEX "subscriptions_company" ON "subscriptions" USING btree ("workspace_id","company_id","start_date","id");--> statement-breakpoint
CREATE INDEX "subscriptions_contact" ON "subscriptions" USING btree ("workspace_id","contact_id","start_date","id");--> statement-breakpoint
CREATE INDEX "subscriptions_owner" ON "subscriptions" USING btree ("workspace_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_log" ON "webhook_deliveries" USING btree ("workspace_id","webhook_id","created_at","event_id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_pending" ON "webhook_deliveries" USING btree ("workspace_id","webhook_id","sequence") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "webhook_deliveries_stream" ON "webhook_deliveries" USING btree ("workspace_id","webhook_id","record_id","sequence") WHERE status in ('pending', 'failed');--> statement-breakpoint
CREATE INDEX "webhook_deliveries_waiting" ON "webhook_deliveries" USING btree ("workspace_id","webhook_id","record_id") WHERE status = 'failed' or next_attempt_at is not null;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_old" ON "webhook_deliveries" USING btree ("created_at") WHERE status in ('delivered', 'skipped');--> statement-breakpoint
CREATE INDEX "webhooks_created" ON "webhooks" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "webhooks_updated" ON "webhooks" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "event_log_event" ON "event_log" USING btree ("workspace_id","event_id");--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_amount_currency" CHECK (currency is not null or coalesce(budget) is null);--> statement-breakpoint
ALTER TABLE "companies" ADD CONSTRAINT "companies_amount_currency" CHECK (currency is not null or coalesce(annual_revenue) is null);--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_amount_currency" CHECK (currency is not null or coalesce(amount) is null);--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_amount_currency" CHECK (currency is not null or coalesce(amount, direct_cost) is null);--> statement-breakpoint
ALTER TABLE "products" ADD CONSTRAINT "products_amount_currency" CHECK (currency is not null or coalesce(list_price) is null);