"""The addresses of the shelf."""

from django.urls import path

from shelf import views

app_name = "shelf"
urlpatterns = [
    path("", views.shelf, name="shelf"),
    path("parcels/<int:number>/", views.download, name="download"),
]
