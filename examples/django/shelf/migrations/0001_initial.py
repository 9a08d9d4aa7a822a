"""The table of parcels."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes it."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Parcel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("content", models.FileField(upload_to="parcels/")),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("arrived", models.DateTimeField(auto_now_add=True)),
            ],
            options={"ordering": ["-arrived"]},
        ),
    ]
