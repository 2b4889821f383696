#include "search.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace endash {
namespace {

constexpr float LN2 = 0.69314718056f;
constexpr float NEVER = -std::numeric_limits<float>::infinity();

struct Candidate {
    float score;
    int beam, token;
};

}  // namespace

Search::Search(const Model& model, std::shared_ptr<Request> asked) : request(std::move(asked)), model_(model) {
    sentence.tokens = request->source;
    sentence.memory = request->memory;
    sentence.length = request->memory_length;
    sentence.watched = request->options.watched;
    sentence.width = request->options.sample ? request->options.n_best : request->options.beam;
    beams_.resize(1);
    beams_[0].left = request->slots;
}

void Search::ban(std::vector<Bans>& bans) const {
    const int n = request->options.no_repeat, room = request->limit - sentence.position;
    banned_.assign(beams_.size(), {});
    for (size_t b = 0; b < beams_.size(); b++) {
        const Beam& beam = beams_[b];
        const auto& t = beam.tokens;
        const int length = (int)t.size();
        for (int i = 0; n && i + n <= length; i++)
            if (std::equal(t.begin() + i, t.begin() + i + n - 1, t.end() - (n - 1))) {
                const int token = t[i + n - 1], slot = token - model_.settings.first_slot;
                if (slot < 0 || slot >= model_.settings.slots) banned_[b].push_back(token);
            }
        Bans ban;
        if (t.size() < request->prefix.size()) ban.only = request->prefix[t.size()];
        ban.never = model_.never.data();
        ban.tokens = banned_[b].data(), ban.count = (int)banned_[b].size();
        ban.first_slot = model_.settings.first_slot, ban.end = model_.settings.eos;
        if (!beam.left.empty()) {
            int todo = 0;
            for (int left : beam.left) todo += std::max(left, 0);  // a prefix may have more than there are
            ban.left = beam.left.data(), ban.slots = (int)beam.left.size();
            ban.no_end = todo > 0, ban.only_slots = todo > 0 && todo >= room - 1;
        }
        bans.push_back(ban);
    }
}

void Search::write(Beam& beam, int token, float score) const {
    beam.tokens.push_back(token), beam.score = score;
    const int slot = token - model_.settings.first_slot;
    if (slot >= 0 && slot < (int)beam.left.size()) beam.left[slot]--;
}

// Enters a hypothesis among the n_best with the best normalised scores.
void Search::end(const Beam& beam, float score, bool finished) {
    const Options& o = request->options;
    const float normalised = score / std::pow((float)(beam.tokens.size() + finished), o.length_penalty);
    if ((int)found.size() == o.n_best) {
        if (normalised <= found.back().normalised) return;
        found.pop_back();
    }
    const auto at = std::find_if(found.begin(), found.end(), [&](const Hypothesis& h) { return h.normalised < normalised; });
    found.insert(at, {beam.tokens, score, normalised, finished, {}});
}

bool Search::greedy(const Best& best, int row, float total, std::vector<int>& parents) {
    const int token = best.tokens[(size_t)row * best.count];
    if (token < 0) return true;
    const float score = request->options.scored ? beams_[0].score + (best.scores[(size_t)row * best.count] - total) * LN2 : 0;
    if (token == model_.settings.eos) {
        end(beams_[0], score, true);
        return true;
    }
    Beam& beam = beams_[0];
    write(beam, token, score);
    if ((int)beam.tokens.size() >= request->limit) {
        end(beam, score, false);
        return true;
    }
    parents.assign(1, 0);
    sentence.last.assign(1, token);
    return false;
}

bool Search::go_on(const Best& best, int first_row, const float* totals, std::vector<int>& parents) {
    const Options& o = request->options;
    if (o.beam == 1) return greedy(best, first_row, totals[0], parents);
    std::vector<Candidate> all;
    for (size_t b = 0; b < beams_.size(); b++)
        for (int j = 0; j < candidates(); j++) {
            const size_t at = (first_row + b) * best.count + j;
            if (best.tokens[at] < 0) break;
            all.push_back({beams_[b].score + (best.scores[at] - totals[b]) * LN2, (int)b, best.tokens[at]});
        }
    const size_t most = std::min(all.size(), (size_t)2 * o.beam);
    std::partial_sort(all.begin(), all.begin() + most, all.end(), [](const Candidate& x, const Candidate& y) { return x.score > y.score; });
    std::vector<Beam> next;
    parents.clear();
    for (size_t i = 0; i < most; i++) {
        const Candidate& c = all[i];
        if (c.token == model_.settings.eos) {
            if ((int)i < o.beam) end(beams_[c.beam], c.score, true), ended_++;
        } else if ((int)next.size() < o.beam && (next.empty() || c.score >= next[0].score - o.prune)) {
            next.push_back(beams_[c.beam]);
            write(next.back(), c.token, c.score);
            parents.push_back(c.beam);
        }
    }
    beams_ = std::move(next);
    if (beams_.empty() || done()) return true;
    sentence.last.clear();
    for (const Beam& beam : beams_) sentence.last.push_back(beam.tokens.back());
    return false;
}

// A log-probability only falls, so that a live hypothesis of score s ends at best with s / limit ** penalty.
bool Search::done() {
    const Options& o = request->options;
    if ((int)beams_[0].tokens.size() >= request->limit) {
        if (found.empty())
            for (const Beam& beam : beams_) end(beam, beam.score, false);
        return true;
    }
    if (ended_ >= o.beam) return true;
    if ((int)found.size() < o.n_best) return false;
    return beams_[0].score / std::pow((float)request->limit, o.length_penalty) <= found.back().normalised;
}

bool Search::draw(const std::vector<float>& scores, int stride, const std::vector<Bans>& bans, int first_ban, std::vector<int>& parents) {
    const Options& o = request->options;
    const int samples = o.n_best, size = model_.settings.target_size, step = sentence.position;
    std::vector<Beam> next;
    std::vector<std::pair<double, int>> order;
    for (int k = 0; k < samples; k++) {
        const int row = beams_.size() == 1 ? 0 : k;
        Beam beam = beams_[row];
        const float* x = scores.data() + (size_t)row * stride;
        if (!beam.going) {
            next.push_back(beam);
            continue;
        }
        double most = NEVER, total = 0, share = 0;
        for (int v = 0; v < size; v++) most = std::max(most, (double)x[v]);
        for (int v = 0; v < size; v++) total += std::exp2(x[v] - most);
        order.clear();
        for (int v = 0; v < size; v++)
            if (!bans[first_ban + row](v)) order.emplace_back((double)x[v] / o.temperature, v);
        if (order.empty()) return true;
        const bool cut = o.top_k || o.top_p < 1;
        if (cut) {
            std::stable_sort(order.begin(), order.end(), [](const auto& p, const auto& q) { return p.first > q.first; });
            if (o.top_k && o.top_k < (int)order.size()) order.resize(o.top_k);
        }
        double best = NEVER, whole = 0;
        for (const auto& p : order) best = std::max(best, p.first);
        for (auto& p : order) whole += p.first = std::exp2(p.first - best);
        size_t kept = order.size();
        if (cut) {
            double before = 0;
            for (kept = 0; kept < order.size() && before < o.top_p * whole; kept++) before += order[kept].first;
            whole = before;
        }
        const double place = request->noise[(size_t)k * request->limit + step] * whole;
        size_t at = 0;
        while (at + 1 < kept && (share += order[at].first) <= place) at++;
        const int token = order[at].second;
        beam.score += (float)((x[token] - most - std::log2(total)) * LN2);
        beam.going = token != model_.settings.eos;
        if (beam.going) write(beam, token, beam.score);
        next.push_back(beam);
    }
    parents.resize(samples);
    for (int k = 0; k < samples; k++) parents[k] = beams_.size() == 1 ? 0 : k;
    beams_ = std::move(next);
    bool going = false;
    sentence.last.clear();
    for (const Beam& beam : beams_) {
        going |= beam.going && (int)beam.tokens.size() < request->limit;
        sentence.last.push_back(beam.tokens.empty() ? model_.settings.bos : beam.tokens.back());
    }
    if (going) return false;
    for (const Beam& beam : beams_) {
        const float length = (float)(beam.tokens.size() + !beam.going);
        found.push_back({beam.tokens, beam.score, beam.score / std::pow(length, o.length_penalty), !beam.going, {}});
    }
    return true;
}

void Search::tell_read() {
    if (found.empty() || sentence.seen.empty()) return;
    const int room = sentence.reads[0].room, length = sentence.length;
    const float reads = (float)model_.reads.size() * model_.settings.link_heads;
    for (size_t at = 0; at < sentence.seen.size(); at += room)
        for (int n = 0; n < length; n++) found[0].read.push_back(sentence.seen[at + n] / reads);
}

std::vector<int> Search::certain() {
    const std::vector<int>& one = beams_[0].tokens;
    size_t shared = one.size();
    auto agree = [&](const std::vector<int>& other) {
        shared = std::mismatch(one.begin(), one.begin() + std::min(shared, other.size()), other.begin()).first - one.begin();
    };
    for (const Beam& beam : beams_) agree(beam.tokens);
    for (const Hypothesis& h : found) agree(h.tokens);
    std::vector<int> fresh;
    if (shared > told_) fresh.assign(one.begin() + told_, one.begin() + shared), told_ = shared;
    return fresh;
}

}  // namespace endash
