"""What the shelf holds."""

from django.db import models


class Parcel(models.Model):
    """One file, with the checksum of what arrived."""

    name = models.CharField(max_length=255)
    content = models.FileField(upload_to="parcels/")
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    arrived = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-arrived"]

    def __str__(self):
        return self.name
