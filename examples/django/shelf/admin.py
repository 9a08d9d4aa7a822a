"""The shelf in the admin."""

from django.contrib import admin

from shelf.models import Parcel


@admin.register(Parcel)
class ParcelAdmin(admin.ModelAdmin):
    """Parcels arrive by the upload page: here they are looked at and thrown away."""

    list_display = ["name", "size", "sha256", "arrived"]
    search_fields = ["name", "sha256"]
    readonly_fields = ["name", "content", "size", "sha256", "arrived"]

    def has_add_permission(self, request):
        return False
