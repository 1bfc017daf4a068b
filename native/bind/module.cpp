// Python's view of the machine: it registers, converts and counts, and nothing else.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

#include "../src/kernels.h"
#include "../src/pool.h"
#include "../src/stepper.h"
#include "../src/threads.h"

namespace nb = nanobind;
using namespace recurra;

void bind_watch(nb::module_& m);
void bind_sources(nb::module_& m);

namespace {

using Place = std::tuple<int, Index, int>;             // buffer, offset, shift
using Given = std::tuple<std::uintptr_t, std::vector<Index>>;  // address, strides in elements

Operand operand(const Place& p) {
  return {std::get<0>(p), std::get<1>(p), std::get<2>(p)};
}

// The ops' names as Python writes them: LinearT is linear_t.
std::vector<std::string> op_names() {
  std::vector<std::string> names;
#define RECURRA_OP(Name) names.push_back(#Name);
  RECURRA_OPS(RECURRA_OP)
#undef RECURRA_OP
  for (std::string& name : names) {
    std::string snake;
    for (std::size_t i = 0; i < name.size(); ++i) {
      const bool upper = name[i] >= 'A' && name[i] <= 'Z';
      if (upper && i > 0 && name[i - 1] >= 'a') snake += '_';
      snake += upper ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
    }
    name = snake;
  }
  return names;
}

void add_instruction(Plan& plan, int part, int op, const std::vector<Place>& places, Index n,
                     Index k, int which, Index inner, Index height, Index width) {
  if (plan.sealed) throw PlanError("the plan is sealed");
  if (part < 0 || part > 2 || op < 0 || op > static_cast<int>(Op::Store) || places.empty() ||
      places.size() > 4)
    throw PlanError("no such instruction");
  Instruction i{static_cast<Op>(op), operand(places[0]), {}, {}, {}, n, k, which, which,
                inner, height, width};
  if (places.size() > 1) i.a = operand(places[1]);
  if (places.size() > 2) i.b = operand(places[2]);
  if (places.size() > 3) i.c = operand(places[3]);
  plan.parts[part].push_back(i);
}

template <class F> Tensor<F> tensor(const Given& g) {
  Tensor<F> t;
  t.data = reinterpret_cast<F*>(std::get<0>(g));
  const auto& strides = std::get<1>(g);
  if (strides.size() > 3) throw PlanError("a tensor of too many axes");
  std::copy(strides.begin(), strides.end(), t.stride);
  return t;
}

template <class F> std::vector<Tensor<F>> tensors(const std::vector<Given>& all) {
  std::vector<Tensor<F>> out;
  for (const Given& g : all) out.push_back(tensor<F>(g));
  return out;
}

template <class F> std::vector<F*> pointers(const std::vector<std::uintptr_t>& all) {
  std::vector<F*> out;
  for (std::uintptr_t p : all) out.push_back(reinterpret_cast<F*>(p));
  return out;
}

struct Arguments {
  Index T = 0, B = 0, block = 0, threads = 1;
  bool reverse = false;
  std::vector<Index> bounds;
  std::uintptr_t row_of = 0, length_of = 0, position_of = 0;
  std::vector<Given> loads, stores, vectors, matrices, initial, final, fresh;
  std::vector<std::uintptr_t> saved, tapes, gradients, fresh_gradients;
  Given restart{0, {0, 0}};
};

void check_counts(const Plan& plan, const Arguments& a) {
  auto same = [](const char* what, std::size_t given, std::size_t wanted) {
    if (given != wanted)
      throw PlanError(std::string("the call gives ") + std::to_string(given) + " " + what +
                      ", the plan wants " + std::to_string(wanted));
  };
  if (!plan.sealed) throw PlanError("the plan is not sealed");
  same("loads", a.loads.size(), plan.load_sizes.size());
  same("stores", a.stores.size(), plan.store_sizes.size());
  same("vectors", a.vectors.size(), plan.vector_sizes.size());
  same("matrices", a.matrices.size(), plan.matrices.size());
  same("initial states", a.initial.size(), plan.states.size());
  same("final states", a.final.size(), plan.states.size());
  same("saved values", a.saved.size(), plan.saved);
  same("tapes", a.tapes.size(), plan.tapes);
  same("gradients", a.gradients.size(), plan.gradient_sizes.size());
  const bool restarts = std::get<0>(a.restart) != 0;
  same("fresh states", a.fresh.size(), restarts && !plan.descending ? plan.states.size() : 0);
  same("fresh gradients", a.fresh_gradients.size(),
       restarts && plan.descending ? plan.states.size() : 0);
  if (a.T < 0 || a.B < 1 || a.block < 1 || a.threads < 1 || std::get<1>(a.restart).size() != 2)
    throw PlanError("a call of no size");
  if (a.bounds.size() < 2 || a.bounds.front() != 0 || a.bounds.back() != a.B ||
      !std::is_sorted(a.bounds.begin(), a.bounds.end()) ||
      std::adjacent_find(a.bounds.begin(), a.bounds.end()) != a.bounds.end())
    throw PlanError("slices that do not make up the batch");
}

template <class F> void run_as(const Plan& plan, const Arguments& a) {
  Call<F> call;
  call.T = a.T, call.B = a.B, call.block = a.block, call.threads = a.threads;
  call.reverse = a.reverse, call.bounds = a.bounds;
  call.row_of = reinterpret_cast<const Index*>(a.row_of);
  call.length_of = reinterpret_cast<const Index*>(a.length_of);
  call.position_of = reinterpret_cast<const Index*>(a.position_of);
  call.loads = tensors<const F>(a.loads), call.stores = tensors<F>(a.stores);
  call.vectors = tensors<const F>(a.vectors), call.matrices = tensors<const F>(a.matrices);
  call.initial = tensors<const F>(a.initial), call.final = tensors<F>(a.final);
  call.fresh = tensors<const F>(a.fresh);
  call.saved = pointers<const F>(a.saved), call.tapes = pointers<F>(a.tapes);
  call.gradients = pointers<F>(a.gradients);
  call.fresh_gradients = pointers<F>(a.fresh_gradients);
  call.restart = reinterpret_cast<const std::uint8_t*>(std::get<0>(a.restart));
  std::copy_n(std::get<1>(a.restart).begin(), 2, call.restart_stride);
  nb::gil_scoped_release release;
  run(plan, call);
}

// Multiplications and functions of one step of a plan that is pushed, for one row.
Index work_of(const Plan& plan) {
  Index work = 0;
  for (const auto& part : plan.parts)
    for (const Instruction& i : part) {
      const bool product = i.op == Op::Linear || i.op == Op::LinearT;
      work += product ? i.n * i.k : 8 * i.n;
    }
  return work;
}

// About a millisecond. Python's lock is given back for more than that; getting it again may take
// five when other threads want it, which a short push shall not wait for.
constexpr Index kLongWork = 4'000'000;

// A stepper of floats or doubles, and the state it works on, which the caller keeps alive.
template <class F> struct BoundStepper {
  BoundStepper(const Plan& plan, const std::vector<Given>& matrices,
               const std::vector<Given>& vectors, Index B,
               const std::vector<std::uintptr_t>& state)
      : states(pointers<F>(state)), work(work_of(plan) * B) {
    const Call<F> given = weights(plan, matrices, vectors);
    std::optional<nb::gil_scoped_release> free;
    if (work > kLongWork) free.emplace();  // packing takes about as long as a step
    stepper = std::make_unique<Stepper<F>>(plan, given, B);
  }

  static Call<F> weights(const Plan& plan, const std::vector<Given>& matrices,
                         const std::vector<Given>& vectors) {
    if (matrices.size() != plan.matrices.size() || vectors.size() != plan.vector_sizes.size())
      throw PlanError("other weights are wanted");
    Call<F> call;
    call.matrices = tensors<const F>(matrices), call.vectors = tensors<const F>(vectors);
    return call;
  }

  void push(Index T, std::uintptr_t x, Index x_step, Index x_row, Index x_feature,
            std::uintptr_t y, Index y_step, Index y_row) {
    auto run = [&] {
      stepper->push(T, {reinterpret_cast<const F*>(x), {x_step, x_row, x_feature}},
                    {reinterpret_cast<F*>(y), {y_step, y_row, 1}}, states);
    };
    // A thread waits for another's push without Python's lock, which that one wants back.
    std::unique_lock<std::mutex> mine(one_at_a_time, std::defer_lock);
    if (T <= kLongWork / (work + 1) && mine.try_lock()) return run();
    nb::gil_scoped_release free;
    std::lock_guard<std::mutex> lock(one_at_a_time);  // let go before the lock is taken again
    run();
  }

  std::unique_ptr<Stepper<F>> stepper;
  std::vector<F*> states;
  Index work;
  std::mutex one_at_a_time;
};

template <class F> void bind_stepper(nb::module_& m, const char* name) {
  using Bound = BoundStepper<F>;
  nb::class_<Bound>(m, name)
      .def(nb::init<const Plan&, const std::vector<Given>&, const std::vector<Given>&, Index,
                    const std::vector<std::uintptr_t>&>(),
           nb::keep_alive<1, 2>())
      .def("push", &Bound::push);
}

// A tensor of bytes whose memory goes back to the pool when the last of its views is gone.
nb::ndarray<nb::pytorch, std::uint8_t, nb::ndim<1>> memory(std::size_t bytes) {
  void* at = acquire(bytes);
  nb::capsule owner(at, [](void* p) noexcept { release(p); });
  return {at, {bytes}, owner};
}

// GFLOP/s of multiply-adds in registers on `threads` threads at once.
double measure_peak(Index threads) {
  nb::gil_scoped_release release;
  double most = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    std::vector<double> flops(threads);
    auto work = [&](Index t) { flops[t] = kernels<float>().multiply_add(200000); };
    const auto begin = std::chrono::steady_clock::now();
    parallel(threads, threads, work);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    double all = 0;
    for (double each : flops) all += each;
    most = std::max(most, all / took.count() * 1e-9);
  }
  return most;
}

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // a plan may outlive the interpreter: in a module-level cell, say
  m.doc() = "The machine that runs a cell's program over time.";

  watch_forks();
  m.attr("chunk_rows") = kChunkRows;
  m.attr("op_names") = nb::cast(op_names());

  nb::class_<Plan>(m, "Plan")
      .def(nb::init<>())
      .def_rw("descending", &Plan::descending)
      .def("buffer",
           [](Plan& p, int kind, Index width, Index index, bool state, double number) {
             if (p.sealed) throw PlanError("the plan is sealed");
             p.buffers.push_back({static_cast<Kind>(kind), width, index, state, number});
             return static_cast<int>(p.buffers.size()) - 1;
           })
      .def("instruction", &add_instruction, nb::arg("part"), nb::arg("op"), nb::arg("places"),
           nb::arg("n"), nb::arg("k"), nb::arg("which"), nb::arg("inner") = 1,
           nb::arg("height") = 1, nb::arg("width") = 1)
      .def("sum",
           [](Plan& p, const Place& d, const Place& x, Index n, Index k, int gradient) {
             if (p.sealed) throw PlanError("the plan is sealed");
             p.sums.push_back({operand(d), operand(x), n, k, gradient});
           })
      .def("sizes",
           [](Plan& p, const std::vector<int>& states,
              const std::vector<std::tuple<Index, Index>>& matrices,
              const std::vector<Index>& vectors, const std::vector<Index>& loads,
              const std::vector<Index>& stores, const std::vector<Index>& gradients, int saved,
              int tapes) {
             if (p.sealed) throw PlanError("the plan is sealed");
             p.states = states;
             p.matrices.clear();
             for (const auto& [n, k] : matrices) p.matrices.push_back({n, k});
             p.vector_sizes = vectors, p.load_sizes = loads, p.store_sizes = stores;
             p.gradient_sizes = gradients, p.saved = saved, p.tapes = tapes;
             p.vectors = static_cast<int>(vectors.size());
           })
      .def("seal", [](Plan& p) { seal(p); });

  nb::class_<Arguments>(m, "Call")
      .def(nb::init<>())
      .def_rw("T", &Arguments::T)
      .def_rw("B", &Arguments::B)
      .def_rw("block", &Arguments::block)
      .def_rw("threads", &Arguments::threads)
      .def_rw("reverse", &Arguments::reverse)
      .def_rw("bounds", &Arguments::bounds)
      .def_rw("row_of", &Arguments::row_of)
      .def_rw("length_of", &Arguments::length_of)
      .def_rw("position_of", &Arguments::position_of)
      .def_rw("loads", &Arguments::loads)
      .def_rw("stores", &Arguments::stores)
      .def_rw("vectors", &Arguments::vectors)
      .def_rw("matrices", &Arguments::matrices)
      .def_rw("initial", &Arguments::initial)
      .def_rw("final", &Arguments::final)
      .def_rw("fresh", &Arguments::fresh)
      .def_rw("saved", &Arguments::saved)
      .def_rw("tapes", &Arguments::tapes)
      .def_rw("gradients", &Arguments::gradients)
      .def_rw("fresh_gradients", &Arguments::fresh_gradients)
      .def_rw("restart", &Arguments::restart);

  m.def("run_float", [](const Plan& plan, const Arguments& a) {
    check_counts(plan, a);
    run_as<float>(plan, a);
  });
  m.def("run_double", [](const Plan& plan, const Arguments& a) {
    check_counts(plan, a);
    run_as<double>(plan, a);
  });
  bind_stepper<float>(m, "FloatStepper");
  bind_stepper<double>(m, "DoubleStepper");
  m.def("memory", &memory);
  m.def("waiting", &waiting);
  m.def("measure_peak", &measure_peak);
  m.def("simd", [] { return std::string(simd()); });
  m.def("simd_choices", &simd_choices);
  m.def("use_simd", &use_simd);
  bind_watch(m);
  bind_sources(m);
}
