import sys
if sys.path and not sys.path[0]:
    del sys.path[0]
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
binary, *files = sys.argv[1:]
sys.argv[:] = ["liege"]
path = "/proc/self/fd/" + files[3]
loader = ExtensionFileLoader("_liege", path)
spec = spec_from_file_location("_liege", path, loader=loader)
_liege = sys.modules["_liege"] = module_from_spec(spec)
loader.exec_module(_liege)
_liege.__file__ = spec.origin = loader.path = binary
if hasattr(sys.stdout, "reconfigure"):
    sys.stdout.reconfigure(line_buffering=True)
sys.exit(_liege.main(*map(int, files)))
