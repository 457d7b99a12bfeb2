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
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_company_fkey" FOREIGN KEY ("workspace_id","company_id") REFERENCES "public"."companies"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_contact_fkey" FOREIGN KEY ("workspace_id","contact_id") REFERENCES "public"."contacts"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_owner_fkey" FOREIGN KEY ("workspace_id","owner_id") REFERENCES "public"."users"("workspace_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "scoring_rules_created" ON "scoring_rules" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "scoring_rules_updated" ON "scoring_rules" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "subscriptions_created" ON "subscriptions" USING btree ("workspace_id","created_at","id");--> statement-breakpoint
CREATE INDEX "subscriptions_updated" ON "subscriptions" USING btree ("workspace_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "subscriptions_start" ON "subscriptions" USING btree ("workspace_id","start_date","id");--> statement-breakpoint
CREATE INDEX "subscriptions_end" ON "subscriptions" USING btree ("workspace_id",coalesce("end_date", 'infinity'::date),"id");--> statement-breakpoint
CREATE INDEX "subscriptions_company" ON "subscriptions" USING btree ("workspace_id","company_id","start_date","id");--> statement-breakpoint
CREATE INDEX "subscriptions_contact" ON "subscriptions" USING btree ("workspace_id","contact_id","start_date","id");--> statement-breakpoint
CREATE INDEX "subscriptions_owner" ON "subscriptions" USING btree ("workspace_id","owner_id","created_at","id");