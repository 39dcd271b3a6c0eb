/** The page: checks the browser, loads the data, starts the generator, and puts the parts together. */

import { render } from "preact";
import { TABS, type Tab } from "./address";
import { checkBrowser } from "./checks";
import { Trouble, loadData } from "./data";
import { Generator } from "./generator";
import { LatentMap } from "./map";
import { Own } from "./own";
import { Between } from "./panels/between";
import { Directions } from "./panels/directions";
import { Labels } from "./panels/labels";
import { Mixture } from "./panels/mixture";
import { Walk } from "./panels/walk";
import { Actions, Picture } from "./picture";
import { Explorer } from "./state";
import "./style.css";

const PANELS: Record<Tab, { title: string; Panel: typeof Directions }> = {
  directions: { title: "Directions", Panel: Directions },
  between: { title: "A ↔ B", Panel: Between },
  mixture: { title: "Mix", Panel: Mixture },
  labels: { title: "Labels", Panel: Labels },
  walk: { title: "Walk", Panel: Walk },
};

function Page({ explorer }: { explorer: Explorer }) {
  const { data, trouble, view } = explorer;
  const tabs = TABS.filter((tab) => tab !== "labels" || explorer.means.some((mean) => mean !== null));
  const tab = tabs.includes(view.tab.value) ? view.tab.value : tabs[0]!;
  const { Panel } = PANELS[tab];
  const turn = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    view.tab.value = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length]!;
    document.getElementById(`tab-${view.tab.value}`)?.focus();
  };
  return (
    <>
      <header>
        <p class="eyebrow">Latent space of {data.recipe}</p>
        <h1>{data.title}</h1>
        <p class="note">
          {data.latent_dim} latent dimensions · {data.height} × {data.width} pixels · generator <code>{data.generator.slice(0, 12)}</code>
        </p>
      </header>
      <div role="status" aria-live="polite">
        {trouble.value && (
          <p class="notice">
            {trouble.value}{" "}
            <button type="button" onClick={() => (trouble.value = null)}>
              Close
            </button>
          </p>
        )}
      </div>
      <main>
        <div class="column">
          <LatentMap explorer={explorer} />
          <Own explorer={explorer} />
        </div>
        <div class="column">
        <Picture explorer={explorer} />
        <Actions explorer={explorer} />
        <section class="card panel" aria-label="Ways through the latent space">
          <div role="tablist" aria-label="Ways through the latent space" class="choice" onKeyDown={turn}>
            {tabs.map((each) => (
              <button
                type="button"
                role="tab"
                id={`tab-${each}`}
                aria-selected={each === tab}
                aria-controls="panel"
                tabIndex={each === tab ? 0 : -1}
                onClick={() => (view.tab.value = each)}
              >
                {PANELS[each].title}
              </button>
            ))}
          </div>
          <div role="tabpanel" id="panel" aria-labelledby={`tab-${tab}`}>
            <Panel key={tab} explorer={explorer} />
          </div>
        </section>
        </div>
      </main>
      <footer class="note">Made with Latent Mill. Every image here is decoded in your browser; nothing leaves it. The address bar holds this view.</footer>
    </>
  );
}

async function start(): Promise<void> {
  const page = document.getElementById("page")!;
  try {
    checkBrowser();
    const data = await loadData();
    document.title = `${data.title} – latent space`;
    const explorer = new Explorer(data, await Generator.start(data));
    page.replaceChildren();
    render(<Page explorer={explorer} />, page);
  } catch (error) {
    const notice = document.createElement("p");
    notice.className = "notice";
    notice.setAttribute("role", "alert");
    notice.textContent = error instanceof Trouble ? error.message : `The explorer could not start: ${String(error)}`;
    page.replaceChildren(notice);
  }
}

void start();
