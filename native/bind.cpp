// The native core as Python sees it: a module of two classes, and what tests measure of the kernels.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "engine.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace endash;

using Array = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Matrix2 = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void bind_training(nb::module_&);  // train_bind.cpp

namespace {

std::vector<const Kernels*> available() {
    std::vector<const Kernels*> sets;
#ifdef ENDASH_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
        sets.push_back(&avx512_kernels);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) sets.push_back(&avx2_kernels);
#endif
    sets.push_back(&plain_kernels);
    return sets;
}

const Kernels& kernels_of(const std::string& name) {
    for (const Kernels* k : available())
        if (k->name == name) return *k;
    throw std::invalid_argument("this machine has no instruction set '" + name + "'");
}

template <class T>
T one_of(const std::string& what, const std::string& name, std::initializer_list<std::pair<const char*, T>> values) {
    for (const auto& [known, value] : values)
        if (name == known) return value;
    throw std::invalid_argument("unknown " + what + " '" + name + "'");
}

Precision precision_of(const std::string& name) {
    return one_of<Precision>("precision", name, {{"int8", Precision::int8}, {"bfloat16", Precision::bfloat16}, {"float32", Precision::float32}});
}

Side side_of(nb::dict d) {
    Side s;
    if (!d.size()) return s;
    auto number = [&](const char* key) { return nb::cast<int>(d[key]); };
    s.width = number("width"), s.layers = number("layers"), s.feed_forward = number("feed_forward");
    s.heads = number("heads"), s.kv_heads = number("kv_heads");
    s.activation = one_of<Activation>("activation", nb::cast<std::string>(d["activation"]),
                                      {{"relu", Activation::relu}, {"gelu", Activation::gelu}, {"silu", Activation::silu}, {"silu-gated", Activation::silu_gated}});
    s.positions = one_of<Positions>("positions", nb::cast<std::string>(d["positions"]),
                                    {{"sinusoidal", Positions::sinusoidal}, {"learned", Positions::learned}, {"rotary", Positions::rotary}});
    s.pre_norm = nb::cast<bool>(d["pre_norm"]), s.causal = nb::cast<bool>(d["causal"]), s.recurrent = nb::cast<bool>(d["recurrent"]);
    return s;
}

Settings settings_of(nb::dict d) {
    Settings s;
    auto number = [&](const char* key) { return nb::cast<int>(d[key]); };
    s.precision = precision_of(nb::cast<std::string>(d["precision"]));
    s.encoder = side_of(nb::cast<nb::dict>(d["encoder"])), s.decoder = side_of(nb::cast<nb::dict>(d["decoder"]));
    s.memory_width = number("memory_width"), s.memory_depth = number("memory_depth");
    s.link_heads = number("link_heads"), s.link_kv_heads = number("link_kv_heads");
    s.link = nb::cast<std::string>(d["link"]);
    s.views = one_of<Settings::Views>("views", nb::cast<std::string>(d["views"]),
                                      {{"states", Settings::Views::states}, {"layerwise", Settings::Views::layerwise}, {"mixed", Settings::Views::mixed}});
    s.prefix = nb::cast<bool>(d["prefix"]);
    s.source_size = number("source_size"), s.target_size = number("target_size");
    s.never = nb::cast<std::vector<int>>(d["never"]);
    s.bos = number("bos"), s.eos = number("eos"), s.first_slot = number("first_slot"), s.slots = number("slots");
    return s;
}

// Settings may come from a file: what no model can have is refused before anything is sized by it.
void check(const Settings& s) {
    auto need = [](bool holds, const char* what) {
        if (!holds) throw std::invalid_argument(std::string("settings that no model has: ") + what);
    };
    auto divides = [](int part, int whole) { return part > 0 && whole > 0 && whole % part == 0; };
    for (const Side* side : {&s.encoder, &s.decoder}) {
        if (side == &s.encoder && !side->layers) continue;
        need(side->layers > 0 && side->width > 0 && side->feed_forward > 0, "layers, width and feed_forward");
        need(side->recurrent || (divides(side->heads, side->width) && divides(side->kv_heads, side->heads)), "heads and kv_heads");
    }
    need(!s.encoder.recurrent && (!s.encoder.layers || (s.source_size > 0 && s.encoder.width == s.memory_width)), "the encoder");
    need(s.memory_width > 0 && s.memory_depth > 0 && (!s.encoder.layers || s.encoder.layers == s.memory_depth), "the memory");
    need(!s.link_heads || (divides(s.link_heads, s.decoder.width) && divides(s.link_kv_heads, s.link_heads)), "link_heads and link_kv_heads");
    auto token = [&](int id) { return id >= 0 && id < s.target_size; };
    need(token(s.bos) && token(s.eos) && s.slots >= 0 && s.first_slot >= 0 && s.first_slot <= s.target_size - s.slots, "bos, eos and slots");
    for (int id : s.never) need(token(id), "never");
}

std::shared_ptr<Model> make_model(nb::dict settings, nb::dict parameters, const std::string& set) {
    Tensors tensors;
    std::vector<Array> alive;
    for (auto [name, value] : parameters) {
        alive.push_back(nb::cast<Array>(value));
        const Array& a = alive.back();
        Tensor tensor{a.data(), {}};
        for (size_t i = 0; i < a.ndim(); i++) tensor.shape.push_back(a.shape(i));
        tensors.emplace(nb::cast<std::string>(name), std::move(tensor));
    }
    const Settings s = settings_of(settings);
    check(s);
    nb::gil_scoped_release released;
    return std::make_shared<Model>(s, tensors, kernels_of(set));
}

// What would be read beyond its end, or not be there at all.
void check(const Settings& s, const Request& r) {
    auto refuse = [](const std::string& why) { throw std::invalid_argument(why); };
    const Options& o = r.options;
    if (r.source.empty() && r.memory.empty()) refuse("a request has neither a source nor a memory");
    if (r.memory.empty() && !s.encoder.layers) refuse("the core does not read sources of this model: give it their memories");
    const size_t views = s.views == Settings::Views::states ? 1 : s.memory_depth;
    if (!r.memory.empty() && r.memory.size() != views) refuse("a memory is of " + std::to_string(views) + " view(s), not of " + std::to_string(r.memory.size()));
    if (r.limit < 1 || o.beam < 1 || o.n_best < 1 || std::max(o.beam, o.n_best) > 65535) refuse("limit, beam and n_best are at least 1, and beams at most 65535");
    for (int token : r.prefix)
        if (token < 0 || token >= s.target_size) refuse("prefix token " + std::to_string(token) + " is not in the vocabulary");
    if (r.limit < (int)r.prefix.size()) refuse("a prefix is no longer than the limit");
    if (!r.slots.empty() && (int)r.slots.size() != s.slots) refuse("slots: the model has " + std::to_string(s.slots));
    if (o.watched && (o.sample || o.beam > 1 || !s.link_heads)) refuse("what is read is kept of greedy search, through a link that reads");
    if (o.sample && r.noise.size() != (size_t)o.n_best * r.limit) refuse("noise is (n_best, limit)");
}

uint64_t submit(Engine& engine, const Model& model, std::vector<int> source, const std::vector<Matrix2>& memory, int limit, std::vector<int> slots,
                std::vector<int> prefix, std::vector<double> noise, const Options& options) {
    auto request = std::make_shared<Request>();
    for (int token : source)
        if (token < 0 || token >= model.settings.source_size) throw std::invalid_argument("source token " + std::to_string(token) + " is not in the vocabulary");
    for (const Matrix2& states : memory) {
        if (states.shape(1) != (size_t)model.settings.memory_width || states.shape(0) != memory[0].shape(0))
            throw std::invalid_argument("the states of a memory are of another shape than the model's");
        request->memory.emplace_back(states.data(), states.data() + states.size());
        request->memory_length = (int)states.shape(0);
    }
    request->source = std::move(source), request->limit = limit, request->slots = std::move(slots), request->prefix = std::move(prefix), request->noise = std::move(noise);
    request->options = options;
    check(model.settings, *request);
    nb::gil_scoped_release released;
    return engine.submit(std::move(request));
}

nb::list wait(Engine& engine, double seconds) {
    std::vector<Event> events;
    {
        nb::gil_scoped_release released;
        events = engine.wait(seconds);
    }
    nb::list told;
    for (const Event& e : events) {
        nb::list found;
        for (const Hypothesis& h : e.found) found.append(nb::make_tuple(h.tokens, h.score, h.normalised, h.finished, h.read));
        told.append(nb::make_tuple(e.id, e.tokens, e.done, e.cancelled, found, e.error));
    }
    return told;
}

}  // namespace

NB_MODULE(_native, m) {
    bind_training(m);
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const Kernels* k : available()) names.emplace_back(k->name);
        return names;
    });
    m.def("speed", [](const std::string& set, const std::string& precision, int rows, int inputs, int outputs) {
        return Model::speed(kernels_of(set), precision_of(precision), rows, inputs, outputs);
    }, nb::call_guard<nb::gil_scoped_release>(), "set"_a, "precision"_a, "rows"_a, "inputs"_a, "outputs"_a);
    nb::class_<Model>(m, "Model")
        .def_prop_ro("bytes", &Model::bytes)
        .def_prop_ro("instruction_set", [](const Model& model) { return std::string(model.kernels.name); });
    m.def("model", &make_model, "settings"_a, "parameters"_a, "instruction_set"_a);
    nb::class_<Options>(m, "Options")
        .def(nb::init<>())
        .def_rw("beam", &Options::beam)
        .def_rw("n_best", &Options::n_best)
        .def_rw("no_repeat", &Options::no_repeat)
        .def_rw("length_penalty", &Options::length_penalty)
        .def_rw("prune", &Options::prune)
        .def_rw("sample", &Options::sample)
        .def_rw("stream", &Options::stream)
        .def_rw("scored", &Options::scored)
        .def_rw("watched", &Options::watched)
        .def_rw("shortlist", &Options::shortlist)
        .def_rw("temperature", &Options::temperature)
        .def_rw("top_p", &Options::top_p)
        .def_rw("top_k", &Options::top_k);
    nb::class_<Engine>(m, "Engine")
        .def(nb::init<std::shared_ptr<const Model>, int, int, int>(), "model"_a, "threads"_a, "rows"_a, "room"_a)
        .def("use_shortlist", &Engine::use_shortlist, "common"_a, "offsets"_a, "tokens"_a)
        .def("submit", &submit, "model"_a, "source"_a, "memory"_a, "limit"_a, "slots"_a, "prefix"_a, "noise"_a, "options"_a)
        .def("wait_for_room", &Engine::wait_for_room, nb::call_guard<nb::gil_scoped_release>(), "seconds"_a)
        .def_prop_ro("closed", &Engine::closed)
        .def("cancel", &Engine::cancel, "id"_a)
        .def("wait", &wait, "seconds"_a)
        .def_prop_ro("memory", &Engine::memory)
        .def("close", &Engine::close, nb::call_guard<nb::gil_scoped_release>());
}
