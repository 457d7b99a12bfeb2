ALTER TABLE "orders" ADD COLUMN "customer_id" uuid GENERATED ALWAYS AS (coalesce(company_id, contact_id)) STORED;--> statement-breakpoint
CREATE INDEX "companies_bin" ON "companies" USING btree ("workspace_id","id") WHERE deleted_at is not null;--> statement-breakpoint
CREATE INDEX "contacts_bin" ON "contacts" USING btree ("workspace_id","id") WHERE deleted_at is not null;--> statement-breakpoint
CREATE INDEX "orders_customer" ON "orders" USING btree ("workspace_id","customer_id","ordered_at","currency","amount","direct_cost","created_at") WHERE deleted_at is null;