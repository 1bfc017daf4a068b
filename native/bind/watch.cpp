// What a traced cell has read, compared with what it would read now: the check in front of every
// native call. Python decides what is watched (program/trace_watch.py); here it is only compared, because
// a comparison of a hundred values takes a microsecond here and thirty there.

#include <nanobind/nanobind.h>

#include <cstring>
#include <vector>

namespace nb = nanobind;

namespace {

// How one value is compared. Python's names for them are in program/watched.py.
enum Mode { Ignore, Same, Type, Tensor, Dict, Empty, Child, Absent };
// What holds the values. Likewise.
enum Kind { Module, Object, Mapping, Keys, List, Attributes, Class, Cell, Function, Call };

struct Entry {
  PyObject* key;
  Mode mode;
  PyObject* value;
  long alias;  // which of the tensors seen before this one is, or -1
  std::vector<Entry> inner;
};

struct Node {
  Kind kind;
  PyObject* holder;  // or none, for a module: they are found from the root
  std::vector<Entry> entries;
  PyObject* items;  // of a list, as it was
  mutable unsigned tag;  // of a class
};

struct Names {
  PyObject *dict, *shape, *dtype, *device, *layout, *requires_grad;
};

const Names& names() {
  static const Names known = {
      PyUnicode_InternFromString("__dict__"),  PyUnicode_InternFromString("shape"),
      PyUnicode_InternFromString("dtype"),     PyUnicode_InternFromString("device"),
      PyUnicode_InternFromString("layout"),    PyUnicode_InternFromString("requires_grad")};
  return known;
}

// Every change of a class, or of one that it inherits from, gives it another tag; 0 is none.
unsigned tag_of(PyObject* type) {
  auto* t = reinterpret_cast<PyTypeObject*>(type);
#if PY_VERSION_HEX < 0x030D0000
  if (!(t->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG)) return 0;
#endif
  return t->tp_version_tag;
}

bool same(PyObject* a, PyObject* b) {
  if (a == b) return true;
  if (Py_TYPE(a) != Py_TYPE(b)) return false;
  if (PyFloat_CheckExact(a)) {
    const double x = PyFloat_AS_DOUBLE(a), y = PyFloat_AS_DOUBLE(b);
    return std::memcmp(&x, &y, sizeof x) == 0;  // tells -0 from 0, and finds NaN again
  }
  if (PyLong_CheckExact(a) || PyUnicode_CheckExact(a) || PyBytes_CheckExact(a))
    return PyObject_RichCompareBool(a, b, Py_EQ) == 1;
  return false;
}

// One check. Whatever goes wrong in it counts as a difference, and Python looks closer.
class Check {
 public:
  explicit Check(PyObject* root) { modules_.push_back(root); }
  ~Check() {
    for (PyObject* owned : owned_) Py_DECREF(owned);
  }

  bool holds(const Node& node) {
    switch (node.kind) {
      case Module: {
        if (next_ >= modules_.size()) return false;
        return attributes(modules_[next_++], node.entries);
      }
      case Object: return attributes(node.holder, node.entries);
      case Mapping: return layout(node.holder, node.entries);
      case Keys: return keys(node.holder, node.entries);
      case List: return list(node);
      case Attributes: {
        for (const Entry& e : node.entries) {
          PyObject* value = own(PyObject_GenericGetAttr(node.holder, e.key));
          if (value == nullptr) PyErr_Clear();
          if (!entry(e, value)) return false;
        }
        return true;
      }
      case Class: return class_holds(node);
      case Cell: return entry(node.entries[0], PyCell_GET(node.holder));
      case Function: {
        PyObject* f = node.holder;
        const PyObject* parts[] = {PyFunction_GET_CODE(f), PyFunction_GET_DEFAULTS(f),
                                   PyFunction_GET_KW_DEFAULTS(f)};
        for (int k = 0; k < 3; ++k)
          if ((parts[k] == nullptr ? Py_None : parts[k]) != node.entries[k].value) return false;
        return true;
      }
      case Call: {
        PyObject* value = own(PyObject_CallNoArgs(node.holder));
        return value != nullptr &&
               PyObject_RichCompareBool(value, node.entries[0].value, Py_EQ) == 1;
      }
    }
    return false;
  }

 private:
  PyObject* own(PyObject* owned) {
    if (owned != nullptr) owned_.push_back(owned);
    return owned;
  }

  bool class_holds(const Node& node) {
    if (node.tag != 0 && tag_of(node.holder) == node.tag) return true;
    auto* type = reinterpret_cast<PyTypeObject*>(node.holder);
    for (const Entry& e : node.entries) {
      PyObject* value = _PyType_Lookup(type, e.key);
      if (!entry(e, value)) return false;
    }
    node.tag = tag_of(node.holder);  // what has changed is nothing that is read
    return true;
  }

  bool attributes(PyObject* holder, const std::vector<Entry>& entries) {
    PyObject* dict = own(PyObject_GenericGetDict(holder, nullptr));
    return dict != nullptr && layout(dict, entries);
  }

  bool layout(PyObject* dict, const std::vector<Entry>& entries) {
    if (!PyDict_Check(dict) || PyDict_GET_SIZE(dict) != static_cast<Py_ssize_t>(entries.size()))
      return false;
    Py_ssize_t at = 0;
    PyObject *key, *value;
    for (const Entry& e : entries) {
      if (!PyDict_Next(dict, &at, &key, &value)) return false;
      if (key != e.key && !same(key, e.key)) return false;
      if (!entry(e, value)) return false;
    }
    return true;
  }

  bool keys(PyObject* dict, const std::vector<Entry>& entries) {
    for (const Entry& e : entries) {
      PyObject* value = PyDict_GetItemWithError(dict, e.key);
      if (value == nullptr && PyErr_Occurred()) return false;
      if (!entry(e, value)) return false;
    }
    return true;
  }

  bool list(const Node& node) {
    if (!PyList_Check(node.holder)) return false;
    const Py_ssize_t n = PyTuple_GET_SIZE(node.items);
    if (PyList_GET_SIZE(node.holder) != n) return false;
    for (Py_ssize_t k = 0; k < n; ++k) {
      PyObject* now = PyList_GET_ITEM(node.holder, k);
      if (node.entries.empty() ? !same(now, PyTuple_GET_ITEM(node.items, k))
                               : !entry(node.entries[k], now))
        return false;
    }
    return true;
  }

  bool entry(const Entry& e, PyObject* value) {
    if (e.mode == Absent) return value == nullptr;
    if (value == nullptr) return false;
    switch (e.mode) {
      case Ignore: return true;
      case Same: return same(value, e.value);
      case Type: return reinterpret_cast<PyObject*>(Py_TYPE(value)) == e.value;
      case Tensor: return tensor(e, value);
      case Dict: return layout(value, e.inner);
      case Empty: return PyObject_IsTrue(value) == 0;
      case Child:
        modules_.push_back(value);
        return reinterpret_cast<PyObject*>(Py_TYPE(value)) == e.value;
      case Absent: break;
    }
    return false;
  }

  bool tensor(const Entry& e, PyObject* value) {
    if (e.alias >= 0) return static_cast<size_t>(e.alias) < tensors_.size() &&
                             tensors_[e.alias] == value;
    tensors_.push_back(value);
    if (reinterpret_cast<PyObject*>(Py_TYPE(value)) != PyTuple_GET_ITEM(e.value, 0)) return false;
    const Names& n = names();
    PyObject* const asked[] = {n.shape, n.dtype, n.device, n.layout, n.requires_grad};
    for (int k = 0; k < 5; ++k) {
      PyObject* now = PyObject_GetAttr(value, asked[k]);
      if (now == nullptr) return false;
      PyObject* before = PyTuple_GET_ITEM(e.value, k + 1);
      const bool equal = now == before || PyObject_RichCompareBool(now, before, Py_EQ) == 1;
      Py_DECREF(now);
      if (!equal) return false;
    }
    return true;
  }

  std::vector<PyObject*> modules_, tensors_, owned_;
  size_t next_ = 0;
};

// Everything in it is borrowed from the plan, which is made of tuples only.
class Watch {
 public:
  explicit Watch(nb::tuple plan) : plan_(std::move(plan)) {
    for (nb::handle item : plan_) nodes_.push_back(node(nb::borrow<nb::tuple>(item)));
  }

  // The first node that is not as it was, -1 if all are.
  long check(nb::handle root) const {
    if (nodes_.empty()) return 0;
    Check one(root.ptr());
    for (size_t k = 0; k < nodes_.size(); ++k) {
      if (one.holds(nodes_[k])) continue;
      PyErr_Clear();
      return static_cast<long>(k);
    }
    return -1;
  }

  PyObject* plan() const { return plan_.ptr(); }
  void clear() {
    nodes_.clear();
    plan_.reset();
  }

 private:
  static std::vector<Entry> entries(nb::handle given) {
    std::vector<Entry> out;
    for (nb::handle item : given) {
      nb::tuple t = nb::borrow<nb::tuple>(item);
      Entry e{t[0].ptr(), static_cast<Mode>(nb::cast<int>(t[1])), t[2].ptr(),
              nb::cast<long>(t[3]), {}};
      if (e.mode == Dict) e.inner = entries(t[2]);
      out.push_back(std::move(e));
    }
    return out;
  }

  static Node node(nb::tuple t) {
    Node n{static_cast<Kind>(nb::cast<int>(t[0])), t[1].ptr(), entries(t[2]), t[3].ptr(), 0};
    if (n.kind == Class) {
      // A look-up gives a class a tag, if it has none.
      (void)_PyType_Lookup(reinterpret_cast<PyTypeObject*>(n.holder), names().dict);
      n.tag = tag_of(n.holder);
    }
    return n;
  }

  nb::tuple plan_;
  std::vector<Node> nodes_;
};

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (nb::inst_ready(self)) Py_VISIT(nb::inst_ptr<Watch>(self)->plan());
  return 0;
}

int clear(PyObject* self) {
  nb::inst_ptr<Watch>(self)->clear();
  return 0;
}

PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {0, nullptr}};

}  // namespace

void bind_watch(nb::module_& m) {
  nb::class_<Watch>(m, "Watch", nb::type_slots(slots))
      .def(nb::init<nb::tuple>())
      .def("check", &Watch::check);
}
