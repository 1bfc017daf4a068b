// What a stream's packed weights were made from: is it still there, and does it hold the same
// numbers? Asked in front of every push. A version counter shows an in-place change by torch only:
// not one by way of `.data`, by NumPy, by a fused optimiser or by another process.

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <vector>

#include "../src/kernels.h"

namespace nb = nanobind;
using namespace recurra;

namespace {

using Digest = std::array<std::uint32_t, kDigestWords>;

constexpr Index kPiece = Index{1} << 15;    // bytes that have a digest of their own
constexpr Index kAlways = Index{1} << 19;   // bytes that are all looked at before every push
constexpr Index kAStep = Index{1} << 17;    // of more, how many are for each step that is pushed

// A place is (holder, group, key, value): holder.__dict__[group][key] is value, or with no group
// holder.__dict__[key]; the value ... is none at all. With no key the group has `value` entries.
// Without a holder the value is looked at wherever it is.
bool in_place(PyObject* place) {
  PyObject *holder = PyTuple_GET_ITEM(place, 0), *group = PyTuple_GET_ITEM(place, 1),
           *key = PyTuple_GET_ITEM(place, 2), *value = PyTuple_GET_ITEM(place, 3);
  if (holder == Py_None) return true;
  nb::object own = nb::steal(PyObject_GenericGetDict(holder, nullptr));
  PyObject* dict = own.ptr();
  if (dict != nullptr && group != Py_None) dict = PyDict_GetItemWithError(dict, group);
  PyObject* found = nullptr;
  if (dict != nullptr && PyDict_Check(dict)) {
    if (key == Py_None) return PyDict_GET_SIZE(dict) == PyLong_AsSsize_t(value);
    found = PyDict_GetItemWithError(dict, key);
  }
  if (found != nullptr) return found == value;
  PyErr_Clear();
  return value == Py_Ellipsis;
}

// What a tensor's method without arguments returns.
nb::object ask(PyObject* tensor, PyObject* method) {
  PyObject* arguments[] = {nullptr, tensor};
  nb::object answer = nb::steal(PyObject_VectorcallMethod(
      method, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  if (!answer.is_valid()) nb::raise_python_error();
  return answer;
}

struct Names {
  PyObject *data_ptr, *stride;
};

const Names& names() {
  static const Names known = {PyUnicode_InternFromString("data_ptr"),
                              PyUnicode_InternFromString("stride")};
  return known;
}

std::uintptr_t address_of(PyObject* tensor) {
  const nb::object address = ask(tensor, names().data_ptr);
  const auto at = PyLong_AsUnsignedLongLong(address.ptr());
  if (PyErr_Occurred()) nb::raise_python_error();
  return static_cast<std::uintptr_t>(at);
}

class Sources {
 public:
  // bytes: for each place those that its tensor's numbers lie in; 0 where it is no tensor.
  Sources(const nb::tuple& places, const std::vector<Index>& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      Numbers n;
      if ((n.bytes = bytes[i]) > 0) {
        PyObject* tensor = PyTuple_GET_ITEM(PyTuple_GET_ITEM(places.ptr(), i), 3);
        n.address = address_of(tensor);
        n.strides = ask(tensor, names().stride);
        n.turns = PyTuple_GET_SIZE(n.strides.ptr()) > 1;
        for (Index at = 0; at < n.bytes; at += kPiece) n.pieces.push_back(of(n, at / kPiece));
        total_ += n.bytes;
      }
      all_.push_back(std::move(n));
    }
  }

  // Whether all is in its place and holds the same numbers, as far as a push of `steps` looks.
  bool same(const nb::tuple& places, Index steps) {
    if (places.size() != all_.size()) return false;
    const bool all = total_ <= std::max(kAlways, steps * kAStep);
    for (std::size_t i = 0; i < all_.size(); ++i) {
      PyObject* place = PyTuple_GET_ITEM(places.ptr(), i);
      if (!in_place(place)) return false;
      Numbers& n = all_[i];
      if (n.bytes == 0) continue;
      PyObject* tensor = PyTuple_GET_ITEM(place, 3);
      if (address_of(tensor) != n.address) return false;
      if (n.turns && !ask(tensor, names().stride).equal(n.strides)) return false;
      const Index pieces = static_cast<Index>(n.pieces.size());
      const Index count = all ? pieces : 1 + (pieces - 1) * steps * kAStep / total_;
      for (Index k = 0; k < count; ++k) {
        if (of(n, n.next) != n.pieces[n.next]) return false;
        if (++n.next == pieces) n.next = 0;
      }
    }
    return true;
  }

 private:
  struct Numbers {
    Index bytes = 0, next = 0;
    std::uintptr_t address = 0;
    nb::object strides;
    bool turns = false;  // whether it could lie in the same memory another way round
    std::vector<Digest> pieces;
  };

  static Digest of(const Numbers& n, Index piece) {
    Digest out{};
    const Index at = piece * kPiece;
    kernels<float>().digest(out.data(), reinterpret_cast<const char*>(n.address) + at,
                            std::min(kPiece, n.bytes - at));
    return out;
  }

  std::vector<Numbers> all_;
  Index total_ = 0;
};

}  // namespace

void bind_sources(nb::module_& m) {
  nb::class_<Sources>(m, "Sources")
      .def(nb::init<const nb::tuple&, const std::vector<Index>&>())
      .def("same", &Sources::same);
}
