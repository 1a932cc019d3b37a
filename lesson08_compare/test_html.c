/* The page: what comes from outside is escaped, what is inside stands in it. */
#include "lesson08_compare/lab_testing.h"

#include "lesson08_compare/html.h"

static char *page; /* owns */

static int fresh(void **state)
{
    (void)state;
    lab_testing_fresh();
    setenv("CARGO_HOME", testing_path("nothing"), 1);
    page = NULL;
    return 0;
}

static int forgotten(void **state)
{
    (void)state;
    unsetenv("CARGO_HOME");
    free(page);
    lab_forget(&lab);
    return 0;
}

static struct lab_run *run(const char *row, const char *who, int round, double us)
{
    struct lab_step step = { .row = lab_testing_row(row),
                             .contestant = lab_testing_contestant(who),
                             .round = round,
                             .purpose = LAB_TIMED };
    struct lab_run blank = lab_run_blank(&step);
    blank.cpu_us = us;
    blank.ops = 1000;
    assert_int_equal(lab_add_run(&lab, &blank), 0);
    return &lab.runs[lab.run_count - 1];
}

static void three(const char *row, const char *who, double us)
{
    for (int round = 0; round < 3; round++)
        run(row, who, round, us + round * us / 10);
}

static void make_page(void)
{
    size_t size;
    free(page);
    FILE *out = open_memstream(&page, &size);
    assert_non_null(out);
    assert_true(html_page(&lab, out));
    assert_int_equal(fclose(out), 0);
}

static void assert_has(const char *text)
{
    if (!strstr(page, text))
        fail_msg("not in the page: %s", text);
}

static void assert_has_not(const char *text)
{
    if (strstr(page, text))
        fail_msg("in the page: %s", text);
}

static int count(const char *text)
{
    int n = 0;
    for (const char *at = page; (at = strstr(at, text)); at++)
        n++;
    return n;
}

static void what_means_something_to_a_browser_is_escaped(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    html_text(out, "<b a='1' c=\"2\">&amp;\n\x01\x7f\xc3\xa9");
    fclose(out);
    assert_string_equal(text, "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;   "
                              "\xc3\xa9");
    free(text);
}

static void nothing_from_outside_becomes_an_element(void **state)
{
    (void)state;
    static const char evil[] = "<img src=x onerror=alert(1)>";
    struct machine *m = &lab.machine;
    snprintf(m->cpu, sizeof m->cpu, "%s", evil);
    snprintf(m->kernel, sizeof m->kernel, "%s", evil);
    snprintf(m->compiler, sizeof m->compiler, "%s", evil);
    snprintf(m->flags, sizeof m->flags, "%s", evil);
    snprintf(m->date, sizeof m->date, "%s", evil);
    for (int c = 0; c < lab_contestant_count; c++) {
        snprintf(lab.offers[c].version, sizeof lab.offers[c].version, "tokio %s", evil);
        snprintf(lab.offers[c].problem, sizeof lab.offers[c].problem, "%s", evil);
    }
    struct lab_run *bad = run("spawn", "go", 0, 1);
    snprintf(bad->problem, sizeof bad->problem, "%s", evil);
    snprintf(bad->tool, sizeof bad->tool, "<img");
    bad = run("echo-64", "go", 0, 1);
    snprintf(bad->problem, sizeof bad->problem, "%s", evil);
    bad = run("weight", "go", 0, 1);
    snprintf(bad->problem, sizeof bad->problem, "%s", evil);
    make_page();
    assert_has_not("<img");
    assert_has("go does not count: &lt;img src=x onerror=alert(1)&gt;");
}

static void what_a_demo_prints_is_escaped(void **state)
{
    (void)state;
    lab_testing_script("peer_tokio", "echo '<script> is_panic() is true'");
    run("echo-64", "tokio/multi", 0, 1);
    make_page();
    assert_has_not("<script>");
    assert_has("it printed: &lt;script&gt; is_panic() is true");
    lab_testing_no_script("peer_tokio");
}

static void tables_stand_in_their_groups(void **state)
{
    (void)state;
    three("echo-64", "raw-epoll", 4);
    three("echo-64", "tokio/multi", 6);
    three("spawn", "steal/epoll", 0.1);
    three("read-64", "glommio", 1);
    struct lab_run *weighed = run("weight", "smol/multi", 0, 1);
    snprintf(weighed->extra[0].name, sizeof weighed->extra[0].name, "all_lines");
    weighed->extra[0].value = 12345;
    weighed->extra_count = 1;
    make_page();
    static const char *const order[] = { "id=\"claims\"",
                                         "id=\"how\"",
                                         "<h2>Echo servers</h2>",
                                         "id=\"row-echo-64\"",
                                         "<h2>Scheduler, one worker</h2>",
                                         "<h2>Files</h2>",
                                         "<h2>Footprint</h2>",
                                         "id=\"matrix\"" };
    const char *at = page;
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        at = strstr(at, order[i]);
        if (!at)
            fail_msg("not there, or not in this order: %s", order[i]);
    }
    assert_has("<th scope=\"row\">tokio/multi</th><td>6.60 [6.00..7.20]</td>"
               "<td>1.50 [1.50..1.50]</td>");
    assert_has("<td>12345</td>");
    assert_has_not("<h2>Timers</h2>");
    assert_int_equal(count("<table"), count("</table>"));
    assert_int_equal(count("<div"), count("</div>"));
    assert_int_equal(count("<section"), count("</section>"));
    assert_int_equal(count("<tr"), count("</tr>"));
}

static void verdicts_stand_below_the_claims_with_both_names(void **state)
{
    (void)state;
    three("fib", "core/epoll", 2);
    three("fib", "glommio", 1);
    three("fib", "tokio/multi", 4);
    three("echo-64", "current/uring", 4);
    make_page();
    const char *verdicts = strstr(page, "<section id=\"verdicts\">");
    assert_non_null(verdicts);
    assert_true(strstr(page, "id=\"claims\">") < verdicts);
    assert_true(verdicts < strstr(page, "id=\"how\""));
    assert_has(
        "<a href=\"#row-fib\">fib</a> CPU</th><td><span class=\"verdict refuted\">");
    assert_has("</span> behind</span></td><td>core/epoll over glommio*: <b>2.00</b> "
               "[2.00..2.00], at most 1.00</td>");
    assert_has("CPU, without *</th><td><span class=\"verdict confirmed\">");
    assert_has("core/epoll over tokio/multi: <b>0.50</b>");
    assert_has("</span> not judged</span></td><td>one side has no number</td>");
    assert_has_not("#row-spawn"); /* not in this lab */
}

static struct lab_run *counted(const char *who, double instructions)
{
    struct lab_run *added = run("echo-64", who, 0, -1);
    added->purpose = LAB_INSTRUCTIONS;
    added->instructions = instructions;
    return added;
}

static void instructions_of_servers_have_a_column(void **state)
{
    (void)state;
    three("echo-64", "raw-epoll", 4);
    three("echo-64", "go", 6);
    three("http-256", "go", 6); /* nobody counted there */
    make_page();
    assert_has_not("user instructions</th>");
    counted("raw-epoll", 131);
    struct lab_run *failed = counted("go", -1);
    snprintf(failed->problem, sizeof failed->problem, "failed: status 1 <");
    make_page();
    assert_int_equal(count("<th scope=\"col\">user instructions</th>"), 1);
    assert_has("<td>131</td>");
    assert_has("go has no instructions: failed: status 1 &lt;</p>");
}

static void a_row_with_other_rounds_says_so(void **state)
{
    (void)state;
    three("spawn", "go", 1);
    run("tree", "go", 0, 1);
    make_page();
    assert_has("<h3>tree: an unbalanced tree (rounds: 1)</h3>");
    assert_has("<h3>spawn: a root spawns n tasks and joins them</h3>");
}

static void a_plot_is_fit_for_a_page(void **state)
{
    (void)state;
    if (!html_can_plot())
        skip();
    three("spawn", "steal/epoll", 0.1);
    three("spawn", "tokio/multi", 20); /* so far apart that the scale is logarithmic */
    three("ping-pong", "tokio/multi", 20);
    make_page();
    assert_int_equal(count("<svg"), 2);
    assert_int_equal(count("</svg>"), 2);
    assert_int_equal(count("<polygon"), 3);
    assert_has(
        "role=\"img\" aria-label=\"a root spawns n tasks and joins them: bars of "
        "the CPU in ns, best first, from steal/epoll with 110 to tokio/multi "
        "with 2.2e+04;");
    assert_has("(log scale)");
    assert_has_not("black");
    assert_has_not("rgb(  0,   0,   0)");
    assert_has_not("gnuplot_canvas");
    assert_has_not("<use");
}

static void without_gnuplot_the_page_says_so_and_has_tables(void **state)
{
    (void)state;
    char path[2048];
    snprintf(path, sizeof path, "%s", getenv("PATH"));
    three("spawn", "steal/epoll", 0.1);
    setenv("PATH", testing_path("nothing"), 1);
    make_page();
    setenv("PATH", path, 1);
    assert_has("gnuplot is not installed (make setup)");
    assert_int_equal(count("<svg"), 0);
    assert_has("<th scope=\"row\">steal/epoll</th>");
}

static void the_page_is_saved_beside_the_runs(void **state)
{
    (void)state;
    char path[700];
    three("spawn", "steal/epoll", 0.1);
    assert_int_equal(html_save(&lab), 0);
    snprintf(path, sizeof path, "%s/report.html", lab.folder);
    assert_int_equal(unlink(path), 0);
    snprintf(lab.folder, sizeof lab.folder, "%s", testing_path("nothing/at/all"));
    assert_true(html_save(&lab) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_means_something_to_a_browser_is_escaped),
        cmocka_unit_test(nothing_from_outside_becomes_an_element),
        cmocka_unit_test(what_a_demo_prints_is_escaped),
        cmocka_unit_test(tables_stand_in_their_groups),
        cmocka_unit_test(verdicts_stand_below_the_claims_with_both_names),
        cmocka_unit_test(instructions_of_servers_have_a_column),
        cmocka_unit_test(a_row_with_other_rounds_says_so),
        cmocka_unit_test(a_plot_is_fit_for_a_page),
        cmocka_unit_test(without_gnuplot_the_page_says_so_and_has_tables),
        cmocka_unit_test(the_page_is_saved_beside_the_runs),
    };
    return lab_testing_main("html", tests, ARRAY_SIZE(tests), fresh, forgotten);
}
