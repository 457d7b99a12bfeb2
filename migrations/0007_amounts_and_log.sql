ALTER TABLE "orders" DROP CONSTRAINT "orders_amount_currency";--> statement-breakpoint
CREATE INDEX "event_log_event" ON "event_log" USING btree ("workspace_id","event_id");--> statement-breakpoint
ALTER TABLE "campaigns" ADD CONSTRAINT "campaigns_amount_currency" CHECK (currency is not null or coalesce(budget) is null);--> statement-breakpoint
ALTER TABLE "companies" ADD CONSTRAINT "companies_amount_currency" CHECK (currency is not null or coalesce(annual_revenue) is null);--> statement-breakpoint
ALTER TABLE "deals" ADD CONSTRAINT "deals_amount_currency" CHECK (currency is not null or coalesce(amount) is null);--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_amount_currency" CHECK (currency is not null or coalesce(amount, direct_cost) is null);--> statement-breakpoint
ALTER TABLE "products" ADD CONSTRAINT "products_amount_currency" CHECK (currency is not null or coalesce(list_price) is null);