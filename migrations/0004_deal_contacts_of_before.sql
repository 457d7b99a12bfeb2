-- The primary contacts of deals made before are among their contacts.
UPDATE "deals" SET "contacts" = jsonb_build_array(jsonb_build_object('contactId', "primary_contact_id", 'role', NULL))
WHERE "primary_contact_id" IS NOT NULL;--> statement-breakpoint
INSERT INTO "deal_contacts" ("workspace_id", "deal_id", "contact_id")
SELECT "workspace_id", "id", "primary_contact_id" FROM "deals" WHERE "primary_contact_id" IS NOT NULL;
