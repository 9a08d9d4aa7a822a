"""Putting a file on the shelf and taking one from it, in pieces: none is ever whole in memory."""

import hashlib
from urllib.parse import quote

from django.http import JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from shelf.models import Parcel

PIECE = 64 * 1024
SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
def shelf(request):
    """The upload form and the newest parcels. A client that asks for JSON gets the checksum."""
    problem = None
    if request.method == "POST":
        arrived = request.FILES.get("content")
        if arrived is not None:
            parcel = keep(arrived)
            if request.accepts("text/html"):
                return redirect("shelf:shelf")
            return JsonResponse(
                {"number": parcel.pk, "size": parcel.size, "sha256": parcel.sha256}, status=201
            )
        problem = "Choose a file first, please."
    context = {"parcels": Parcel.objects.all()[:SHOWN], "problem": problem}
    return render(request, "shelf/shelf.html", context, status=400 if problem else 200)


@require_safe
def download(request, number):
    """The file again, streamed, with the checksum that it had when it arrived."""
    parcel = get_object_or_404(Parcel, pk=number)
    response = StreamingHttpResponse(pieces(parcel), content_type="application/octet-stream")
    response["Content-Length"] = parcel.size
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(parcel.name)}"
    response["X-SHA256"] = parcel.sha256
    return response


def keep(arrived):
    """Stores an uploaded file and the checksum of its bytes."""
    checksum = hashlib.sha256()
    for piece in arrived.chunks(PIECE):
        checksum.update(piece)
    return Parcel.objects.create(
        name=arrived.name, content=arrived, size=arrived.size, sha256=checksum.hexdigest()
    )


def pieces(parcel):
    with parcel.content.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
