// Random tiny models of odd shapes under random requests, without Python, for the sanitizers: see scripts/sanitize.sh.
//
//     fuzz ROUNDS SEED            so many models, each with requests that are odd in every way a caller may be
//     fuzz sentences COUNT        16 threads decode so many sentences with one model, and memory is watched
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <list>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "engine.h"

using namespace endash;

namespace {

std::mt19937 chance;
int below(int count) { return (int)(chance() % (unsigned)count); }
bool maybe(int of = 2) { return below(of) == 0; }
template <class T>
T any(std::initializer_list<T> of) {
    return *(of.begin() + below((int)of.size()));
}

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "fuzz: %s\n", why.c_str());
    std::abort();
}

// Parameters of the shapes that the settings ask for.
struct Parameters {
    Tensors tensors;
    std::list<std::vector<float>> data;
    double broken = 0, size = 1;  // share of NaN, and how large the others are

    void add(const std::string& name, std::vector<size_t> shape) {
        size_t count = 1;
        for (size_t n : shape) count *= n;
        std::normal_distribution<float> normal(0, (float)size / std::sqrt((float)(shape.size() > 1 ? shape.back() : 25)));
        std::vector<float> values(count);
        for (float& x : values) x = std::uniform_real_distribution<>(0, 1)(chance) < broken ? any({NAN, INFINITY}) : normal(chance);
        data.push_back(std::move(values));
        tensors[name] = {data.back().data(), shape};
    }
    void linear(const std::string& name, size_t outputs, size_t inputs, bool biased = true) {
        add(name + ".weight", {outputs, inputs});
        if (biased) add(name + ".bias", {outputs});
    }
    void norm(const std::string& name, size_t width) { add(name + ".weight", {width}), add(name + ".bias", {width}); }
    void attention(const std::string& name, int width, int source_width, int heads, int kv_heads) {
        linear(name + ".query", width, width);
        linear(name + ".key_value", 2 * kv_heads * (width / heads), source_width);
        linear(name + ".output", width, width);
    }
    void stack(const std::string& name, const Side& s, bool reads, int table) {
        const int D = s.width;
        for (int i = 0; i < s.layers; i++) {
            const std::string at = name + ".layers." + std::to_string(i);
            if (s.recurrent) {
                linear(at + ".ssru.forget", D, D), linear(at + ".ssru.value", D, D, false);
            } else {
                attention(at + ".attention", D, D, s.heads, s.kv_heads);
            }
            norm(at + (s.recurrent ? ".around_ssru.norm" : ".around_attention.norm"), D);
            if (reads) norm(at + ".around_link.norm", D);
            norm(at + ".around_feed_forward.norm", D);
            linear(at + ".feed_forward.inner", (s.activation == Activation::silu_gated ? 2 : 1) * s.feed_forward, D);
            linear(at + ".feed_forward.output", D, s.feed_forward);
        }
        if (s.pre_norm) norm(name + ".norm", D);
        if (s.positions == Positions::learned) add(name + ".positions.table", {(size_t)table, (size_t)D});
    }
};

Side random_side(int width, bool recurrent) {
    Side s;
    s.width = width, s.layers = 1 + below(3), s.feed_forward = 1 + below(70);
    std::vector<int> heads;
    for (int h = 1; h <= 8; h++)
        if (width % h == 0) heads.push_back(h);
    s.heads = heads[below((int)heads.size())];
    s.kv_heads = s.heads % 2 == 0 && maybe() ? s.heads / 2 : maybe(3) ? 1 : s.heads;
    s.activation = any({Activation::relu, Activation::gelu, Activation::silu, Activation::silu_gated});
    s.positions = recurrent ? Positions::sinusoidal : any({Positions::sinusoidal, Positions::learned, Positions::rotary});
    s.pre_norm = maybe(), s.causal = maybe(3), s.recurrent = recurrent;
    return s;
}

int random_width() { return any({1, 3, 8, 16, 17, 31, 32, 33, 36, 48, 60, 64, 65}); }

struct Made {
    Settings settings;
    std::shared_ptr<Model> model;
};

Made random_model(const Kernels& kernels, bool sound) {
    Settings s;
    Parameters p;
    p.broken = !sound && maybe(6) ? 0.01 : 0, p.size = !sound && maybe(5) ? any({0., 1e-20, 100., 1e15}) : 1.5;
    s.precision = any({Precision::int8, Precision::bfloat16, Precision::float32});
    const bool recurrent = maybe(3);
    s.decoder = random_side(random_width(), recurrent), s.decoder.causal = false;
    s.encoder = random_side(maybe() ? s.decoder.width : random_width(), false);
    s.memory_width = s.encoder.width, s.memory_depth = s.encoder.layers;
    const int table = 1 + below(40);
    if (!recurrent && maybe(4)) {
        s.prefix = true;
    } else {
        s.views = s.memory_depth == s.decoder.layers ? any({Settings::Views::states, Settings::Views::layerwise, Settings::Views::mixed})
                                                       : any({Settings::Views::states, Settings::Views::mixed});
        s.link_heads = s.decoder.width % 4 == 0 && maybe() ? 4 : 1, s.link_kv_heads = s.link_heads == 4 ? any({1, 2, 4}) : 1;
    }
    s.source_size = 8 + below(60), s.target_size = 8 + below(90);
    s.bos = 2, s.eos = 3, s.never = {0, 1, 2, 4};
    if (maybe()) s.first_slot = 5, s.slots = 2;
    if (!sound && maybe(12))
        for (int t = 5; t < s.target_size; t++) s.never.push_back(t);
    p.add("source_embedding.weight", {(size_t)s.source_size, (size_t)s.encoder.width});
    p.add("target_embedding.weight", {(size_t)s.target_size, (size_t)s.decoder.width});
    p.stack("encoder", s.encoder, false, table), p.stack("decoder", s.decoder, s.link_heads > 0, table);
    if (s.views != Settings::Views::states)
        for (int i = 0; i < s.memory_depth; i++) p.norm("link.norms." + std::to_string(i), s.memory_width);
    if (s.views == Settings::Views::mixed) p.add("link.shares", {(size_t)s.decoder.layers, (size_t)s.memory_depth});
    for (int r = 0; s.link_heads && r < s.decoder.layers; r++) p.attention("link.attention." + std::to_string(r), s.decoder.width, s.memory_width, s.link_heads, s.link_kv_heads);
    if (s.prefix) p.linear("link.project", s.decoder.width, s.memory_width);
    p.linear("head", s.target_size, s.decoder.width);
    if (maybe(8)) s.encoder = Side();  // memories are given
    auto model = std::make_shared<Model>(s, p.tensors, kernels);
    return {s, model};
}

std::shared_ptr<Request> random_request(const Settings& s, bool shortlist) {
    auto r = std::make_shared<Request>();
    const int length = any({0, 1, 5, 17, 33, 90}) + below(9);
    for (int n = 0; n < length; n++) r->source.push_back(below(s.source_size));
    r->source.push_back(s.eos);
    if (!s.encoder.layers || maybe(6)) {
        const int depth = s.views == Settings::Views::states ? 1 : s.memory_depth;
        r->memory_length = below(40);
        for (int i = 0; i < depth; i++) {
            std::vector<float> view((size_t)r->memory_length * s.memory_width);
            for (float& x : view) x = (float)below(2000) / 1000 - 1;
            if (!view.empty() && maybe(20)) view[below((int)view.size())] = NAN;
            r->memory.push_back(view);
        }
        if (maybe()) r->source.clear();
    }
    Options& o = r->options;
    r->limit = maybe(10) ? 1 : 1 + below(60);
    if (s.slots && maybe()) {
        r->slots.assign(s.slots, 0);
        for (int& n : r->slots) n = below(3);
    }
    o.beam = any({1, 1, 2, 4, 7, 40}), o.n_best = 1 + below(o.beam), o.no_repeat = any({0, 0, 2, 3});
    o.length_penalty = any({0.f, 1.f, 0.6f}), o.stream = maybe(), o.scored = maybe(), o.shortlist = shortlist && maybe();
    if (maybe(4)) o.prune = 0.5f;
    if (maybe(4)) {
        o.sample = true, o.beam = 1, o.n_best = 1 + below(5), o.temperature = any({0.01, 1., 50.}), o.top_k = any({0, 1, 9, 1000}), o.top_p = any({1., 0.9, 1e-9});
        for (int n = 0; n < o.n_best * r->limit; n++) r->noise.push_back(std::uniform_real_distribution<>(0, 1)(chance));
    }
    o.watched = !o.sample && o.beam == 1 && s.link_heads && maybe();
    for (int n = maybe(4) ? below(r->limit + 1) : 0; n > 0; n--) r->prefix.push_back(below(s.target_size));
    return r;
}

void check(const Event& e, const Settings& s, const Request& r, std::vector<int>& streamed) {
    streamed.insert(streamed.end(), e.tokens.begin(), e.tokens.end());
    if (!e.done || e.cancelled || !e.error.empty()) return;
    if (e.found.empty() || (int)e.found.size() > r.options.n_best) fail("no hypothesis, or too many");
    for (const Hypothesis& h : e.found) {
        if ((int)h.tokens.size() > r.limit) fail("a hypothesis is too long");
        const size_t begun = std::min(r.prefix.size(), h.tokens.size());
        if (!std::equal(h.tokens.begin(), h.tokens.begin() + begun, r.prefix.begin())) fail("a target does not begin with its prefix");
        for (size_t i = 0; i < h.tokens.size(); i++) {
            const int t = h.tokens[i];
            if (t < 0 || t >= s.target_size || t == s.eos || (i >= begun && std::count(s.never.begin(), s.never.end(), t))) fail("token " + std::to_string(t) + " was written");
        }
        if (r.options.watched) {
            const size_t rows = h.tokens.size() + h.finished, length = r.memory.empty() ? r.source.size() : r.memory_length;
            if (h.read.size() != rows * length) fail("what was read is of another shape");
            for (size_t at = 0; at < h.read.size(); at += length) {
                const float whole = std::accumulate(h.read.begin() + at, h.read.begin() + at + length, 0.f);
                if (std::fabs(whole - 1) > 1e-2f) fail("shares that do not make a whole: " + std::to_string(whole));
            }
        }
        for (size_t i = 0; r.prefix.empty() && h.finished && i < r.slots.size(); i++)
            if (std::count(h.tokens.begin(), h.tokens.end(), s.first_slot + (int)i) != r.slots[i]) fail("a slot is missing");
    }
    const auto& best = e.found[0].tokens;
    if (streamed.size() > best.size() || !std::equal(streamed.begin(), streamed.end(), best.begin())) fail("a stream is not the result's beginning");
}

void one_round(const Kernels& kernels) {
    const Made made = random_model(kernels, false);
    const Settings& s = made.settings;
    const int room = any({1, 3, 100});
    Engine engine(made.model, 1 + below(3), any({1, 8, 64}), room);
    const bool shortlist = maybe();
    if (shortlist) {
        std::set<int> common{0, 1, 2, 3, 4};
        for (int n = below(6); n > 0; n--) common.insert(below(s.target_size));
        std::vector<int> offsets{0}, tokens;
        for (int t = 0; t < s.source_size; t++) {
            for (int n = below(4); n > 0; n--) tokens.push_back(below(s.target_size));
            offsets.push_back((int)tokens.size());
        }
        engine.use_shortlist({common.begin(), common.end()}, offsets, tokens);
    }
    std::unordered_map<uint64_t, std::pair<std::shared_ptr<Request>, std::vector<int>>> open;
    const int wanted = 20 + below(30), close_at = maybe(4) ? below(wanted) : -1;
    auto read = [&](double seconds) {
        for (const Event& e : engine.wait(seconds)) {
            const auto at = open.find(e.id);
            if (at == open.end()) fail("an event of a request that is done");
            check(e, s, *at->second.first, at->second.second);
            if (e.done) open.erase(at);
        }
    };
    for (int n = 0; n < wanted; n++) {
        if (n == close_at) {
            engine.close();
            if (engine.submit(random_request(s, shortlist))) fail("a closed engine takes requests");
            read(1);
            return;
        }
        auto request = random_request(s, shortlist);
        uint64_t id;
        while (!(id = engine.submit(request))) read(0.01);
        open[id] = {request, {}};
        if (maybe(6)) engine.cancel(1 + (uint64_t)below((int)id));
        if (maybe(3)) read(0);
    }
    const auto start = std::chrono::steady_clock::now();
    while (!open.empty()) {
        read(1);
        if (std::chrono::steady_clock::now() - start > std::chrono::seconds(120)) fail("a request never ends");
    }
    for (int n = 0; engine.memory() && n < 1000; n++) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (engine.memory()) fail("memory is still taken");
}

long resident() {  // kB
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("VmRSS:", 0) == 0) return std::atol(line.c_str() + 6);
    return 0;
}

void many_sentences(const Kernels& kernels, int count) {
    chance.seed(5);
    const Made made = random_model(kernels, true);
    Engine engine(made.model, 2, 8, 1000);
    std::atomic<int> done{0};
    std::thread reader([&] {
        while (done < count)
            for (const Event& e : engine.wait(1)) done += e.done;
    });
    std::vector<std::vector<std::shared_ptr<Request>>> requests(16);
    for (int n = 0; n < count; n++) requests[n % 16].push_back(random_request(made.settings, false));
    const long before = resident();
    std::vector<std::thread> callers;
    for (auto& mine : requests)
        callers.emplace_back([&] {
            for (auto& request : mine) {
                while (!engine.submit(request)) engine.wait_for_room(1);
                request.reset();
            }
        });
    for (auto& caller : callers) caller.join();
    reader.join();
    for (int n = 0; engine.memory() && n < 1000; n++) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::printf("%d sentences, %ld kB before, %ld kB after, %zu bytes taken\n", count, before, resident(), engine.memory());
    if (engine.memory()) fail("memory is still taken");
}

}  // namespace

int main(int count, char** words) {
    std::vector<const Kernels*> sets{&plain_kernels};
#ifdef ENDASH_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) sets.push_back(&avx2_kernels);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
        sets.push_back(&avx512_kernels);
#endif
    if (count == 3 && std::string(words[1]) == "sentences") {
        many_sentences(*sets.back(), std::atoi(words[2]));
        return 0;
    }
    const int rounds = count > 1 ? std::atoi(words[1]) : 100, seed = count > 2 ? std::atoi(words[2]) : 0;
    for (int n = 0; n < rounds; n++) {
        chance.seed((unsigned)(seed + n));
        std::fprintf(stderr, "\rmodel %d ", seed + n);
        one_round(*sets[n % sets.size()]);
    }
    std::fprintf(stderr, "\n%d models, clean\n", rounds);
}
