// A plan is checked once, before anything runs: afterwards the machine trusts it.

#include "tape.h"

namespace recurra {
namespace {

const char* kPartNames[] = {"before", "loop", "after"};

struct Checker {
  const Plan& plan;
  int part = 0;
  Index at = 0;

  [[noreturn]] void fail(const std::string& what) const {
    throw PlanError("instruction " + std::to_string(at) + " of '" + kPartNames[part] + "': " + what);
  }

  const Buffer& buffer(const Operand& o) const {
    if (o.buffer < 0 || o.buffer >= static_cast<int>(plan.buffers.size())) fail("unknown buffer");
    return plan.buffers[o.buffer];
  }

  // `width` features are read or written there; constants have none.
  void operand(const Operand& o, Index width, bool written, bool constant) const {
    const Buffer& b = buffer(o);
    if (b.kind == Kind::Constant) {
      if (written || !constant) fail("a constant cannot stand here");
      if (o.offset != 0 || o.shift != 0) fail("a constant is one number");
      return;
    }
    if (width < 1 || o.offset < 0 || o.offset > b.width - width) fail("features out of range");
    if (o.shift < 0 || o.shift > (b.state ? 1 : 0)) fail("no such slot");
    if (written && (b.kind == Kind::Vector || b.kind == Kind::Saved)) fail("cannot be written");
    if (part != 1 && b.kind == Kind::Row) fail("a row buffer outside the loop");
  }

  bool in_strip(const Operand& o) const {
    return o.buffer >= 0 && plan.buffers[o.buffer].kind == Kind::Strip;
  }

  int operands(const Instruction& i) const {
    if (i.op == Op::Zeros) return 0;
    if (i.op < Op::Zeros) return 1;
    if (i.op < Op::Where) return 2;
    if (is_matmul(i.op)) return i.c.buffer >= 0 ? 3 : 2;  // with what is added to the product
    return i.op == Op::Where || i.op == Op::MulAdd ? 3 : 1;
  }

  void instruction(const Instruction& i) const {
    if (i.op == Op::Load || i.op == Op::Store) return port(i);
    if (i.op == Op::Linear || i.op == Op::LinearT) return linear(i);
    operand(i.d, i.n, true, false);
    const int count = operands(i);
    const Operand* sources[] = {&i.a, &i.b, &i.c};
    for (int s = count; s < 3; ++s)
      if (sources[s]->buffer >= 0) fail("more operands than it takes");
    if (i.op >= Op::Sum) blocks(i);
    for (int s = 0; s < count; ++s) {
      const Index width = features(i, s);
      const bool two = i.op >= Op::Add && i.op < Op::Where, choice = i.op == Op::Where && s > 0;
      operand(*sources[s], width, false, two || choice);
      if (buffer(*sources[s]).kind == Kind::Strip) overlap(i, *sources[s], width, s);
    }
  }

  // The numbers by which a row is seen as blocks fit one another, and the row.
  void blocks(const Instruction& i) const {
    const Index most = Index{1} << 40;
    auto times = [&](Index a, Index b) {
      if (a < 1 || b < 1 || a > most / b) fail("blocks of no size");
      return a * b;
    };
    if (is_matmul(i.op)) {
      if (i.n % times(i.height, i.width)) fail("matrices that do not fit");
      times(times(i.height, i.k), i.n), times(times(i.width, i.k), i.n);
      return;
    }
    if (i.op == Op::Transpose) {
      if (i.n % times(times(i.height, i.width), i.inner)) fail("blocks that do not fit");
      return;
    }
    times(i.n, i.k);
    if (i.n % (i.op == Op::Spread ? times(i.k, i.inner) : times(i.inner, 1)))
      fail("groups that do not fit");
  }

  // How many features an instruction reads of its operand s.
  static Index features(const Instruction& i, int s) {
    if (i.op == Op::Sum || i.op == Op::Amax) return i.n * i.k;
    if (i.op == Op::Spread) return i.n / i.k;
    if (is_matmul(i.op) && s < 2) return i.n / (s == 0 ? i.width : i.height) * i.k;
    return i.n;
  }

  // An operand may be the result's own place (each lane is read before it is written) or apart.
  void overlap(const Instruction& i, const Operand& s, Index width, int which) const {
    if (s.buffer != i.d.buffer) return;
    const bool apart = s.offset + width <= i.d.offset || i.d.offset + i.n <= s.offset;
    const bool lanes = i.op < Op::Sum || (is_matmul(i.op) && which == 2);
    const bool same = s.offset == i.d.offset && width == i.n && lanes;
    if (!apart && !same) fail("the result overlaps an operand");
  }

  void linear(const Instruction& i) const {
    if (i.matrix < 0 || i.matrix >= static_cast<int>(plan.matrices.size())) fail("unknown matrix");
    const auto& m = plan.matrices[i.matrix];
    const bool forward = i.op == Op::Linear;
    if (i.n != (forward ? m.n : m.k) || i.k != (forward ? m.k : m.n)) fail("matrix of another size");
    operand(i.d, i.n, true, false);
    operand(i.a, i.k, false, false);
    if (i.b.buffer >= 0) operand(i.b, i.n, false, false);
    if (in_strip(i.d) || in_strip(i.a) || in_strip(i.b)) fail("a product in a strip");
    if (buffer(i.a).kind == Kind::Vector) fail("a product of parameters");
    if (i.a.buffer == i.d.buffer && i.a.shift == i.d.shift && i.a.offset < i.d.offset + i.n &&
        i.d.offset < i.a.offset + i.k)
      fail("the result overlaps an operand");
  }

  void port(const Instruction& i) const {
    const bool load = i.op == Op::Load;
    if (part != (load ? 0 : 2)) fail("loads stand before the loop, stores after it");
    const auto& sizes = load ? plan.load_sizes : plan.store_sizes;
    if (i.port < 0 || i.port >= static_cast<int>(sizes.size()) || sizes[i.port] != i.n)
      fail("unknown port");
    const Operand& o = load ? i.d : i.a;
    operand(o, i.n, load, !load);
    if (in_strip(o)) fail("a port in a strip");
  }

  void sum(const SumOf& s) const {
    if (s.gradient < 0 || s.gradient >= static_cast<int>(plan.gradient_sizes.size()))
      fail("unknown gradient");
    const bool outer = s.x.buffer >= 0;
    if (s.n < 1 || (outer && s.k < 1) ||
        plan.gradient_sizes[s.gradient] != (outer ? s.n * s.k : s.n))
      fail("gradient of another size");
    kept(s.d, s.n);
    if (outer) kept(s.x, s.k);
  }

  void kept(const Operand& o, Index width) const {
    operand(o, width, false, false);
    const Kind kind = buffer(o).kind;
    if (kind != Kind::Saved && kind != Kind::Tape) fail("a sum of what is not kept");
  }
};

void check_buffers(const Plan& plan) {
  const Index most = Index{1} << 32;
  for (const Buffer& b : plan.buffers) {
    const bool known = b.kind >= Kind::Constant && b.kind <= Kind::Strip;
    if (!known || b.width < 1 || b.width > most) throw PlanError("a buffer of no kind or width");
    const Index count = b.kind == Kind::Vector  ? plan.vectors
                        : b.kind == Kind::Saved ? plan.saved
                        : b.kind == Kind::Tape  ? plan.tapes
                                                : 1;
    if (b.index < 0 || b.index >= count) throw PlanError("a buffer of an unknown tensor");
    if (b.kind == Kind::Vector && plan.vector_sizes[b.index] != b.width)
      throw PlanError("a vector of another size");
    if (b.state && b.kind != Kind::Tape && b.kind != Kind::Saved)
      throw PlanError("a state that is not kept");
  }
  for (const auto& m : plan.matrices)
    if (m.n < 1 || m.k < 1 || m.n > most || m.k > most) throw PlanError("a matrix of no size");
  for (int state : plan.states) {
    const bool known = state >= 0 && state < static_cast<int>(plan.buffers.size());
    if (!known || plan.buffers[state].kind != Kind::Tape || !plan.buffers[state].state)
      throw PlanError("a state that is not kept");
  }
}

int constants(const Plan& plan, const Instruction& i) {
  auto is = [&](const Operand& o) {
    return o.buffer >= 0 && plan.buffers[o.buffer].kind == Kind::Constant;
  };
  if (i.op == Op::Where) return is(i.b) + 2 * is(i.c);
  return i.op >= Op::Add && i.op < Op::Where ? is(i.a) + 2 * is(i.b) : 0;
}

}  // namespace

void seal(Plan& plan) {
  check_buffers(plan);
  Checker checker{plan};
  for (checker.part = 0; checker.part < 3; ++checker.part)
    for (checker.at = 0; checker.at < static_cast<Index>(plan.parts[checker.part].size());
         ++checker.at)
      checker.instruction(plan.parts[checker.part][checker.at]);
  for (auto& part : plan.parts)
    for (Instruction& i : part) i.constants = constants(plan, i);
  checker.part = 2;
  for (checker.at = 0; checker.at < static_cast<Index>(plan.sums.size()); ++checker.at)
    checker.sum(plan.sums[checker.at]);
  plan.sealed = true;
}

}  // namespace recurra
