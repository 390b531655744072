// SPDX-License-Identifier: Apache-2.0
// The pictures: labels placed beside their objects at the size that is shown, outlines that answer to the pointer.
const FIRST_CARDS = 6;

const overlaps = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

// Above, below, inside, beside: the first place, kept inside the photo, that covers neither a label nor another object, or no label at least. What finds none shows under the pointer.
const placeTags = (photo) => {
  const holder = photo.querySelector(".tags");
  const factor = photo.clientWidth / Number(photo.dataset.width);
  if (!factor) return;
  const [width, height] = [photo.clientWidth, Number(photo.dataset.height) * factor];
  holder.classList.add("placed");
  const tags = [...holder.children].map((tag) => ({
    tag,
    size: [tag.offsetWidth, tag.offsetHeight],
    box: tag.dataset.box.split(" ").map((value) => Number(value) * factor),
  }));
  const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
  const taken = [];
  for (const { tag, size, box } of tags.sort((a, b) => area(b) - area(a))) {
    const [w, h] = size;
    const [left, top, right, bottom] = box;
    const places = [
      [left, top - h - 2],
      [left, bottom + 2],
      [left + 2, top + 2],
      [right - w, top - h - 2],
      [right + 2, (top + bottom - h) / 2],
      [left - w - 2, (top + bottom - h) / 2],
      [left + 2, bottom - h - 2],
      [left, top - 2 * h - 4],
      [left, bottom + h + 4],
    ].map(([x, y]) => [Math.max(0, Math.min(width - w, x)), Math.max(0, Math.min(height - h, y))]);
    const clear = places.filter(([x, y]) => !taken.some((other) => overlaps([x, y, x + w, y + h], other)));
    const free = clear.find(([x, y]) => !tags.some((other) => other.box !== box && overlaps([x, y, x + w, y + h], other.box))) || clear[0];
    const [x, y] = free || places[0];
    tag.classList.toggle("crowded", !free);
    tag.style.left = (100 * x) / width + "%";
    tag.style.top = (100 * y) / height + "%";
    if (free) taken.push([x, y, x + w, y + h]);
  }
};

const prepareCards = (findFrame) => {
  const cards = [...document.querySelectorAll(".card")];
  const observer = new ResizeObserver((entries) => entries.forEach((entry) => placeTags(entry.target)));
  cards.forEach((card) => {
    const button = make("button", "", "In the table");
    button.type = "button";
    button.addEventListener("click", () => findFrame(texts[Number(card.dataset.frame)]));
    card.querySelector("header").append(button);
    const photo = card.querySelector(".photo");
    if (!photo) return;
    observer.observe(photo);
    photo.addEventListener("pointerover", (event) => heat(photo, event.target.closest("[data-object]")));
    photo.addEventListener("pointerleave", () => heat(photo, null));
  });
  collapse(cards);
};

const heat = (photo, group) => {
  photo.querySelectorAll(".hot").forEach((element) => element.classList.remove("hot"));
  if (!group) return;
  group.classList.add("hot");
  photo.querySelector(`.tag[data-object="${group.dataset.object}"]`)?.classList.add("hot");
};

// A long run begins with a few pictures; a link into the others opens all.
const collapse = (cards) => {
  const more = byId("more");
  const open = () => {
    cards.forEach((card) => (card.hidden = false));
    more.hidden = true;
  };
  if (cards.length > FIRST_CARDS) {
    cards.slice(FIRST_CARDS).forEach((card) => (card.hidden = true));
    more.textContent = `Show all ${cards.length} frames`;
    more.hidden = false;
    more.addEventListener("click", open);
  }
  const aim = () => {
    const card = cards.find((item) => "#" + item.id === location.hash);
    cards.forEach((item) => item.classList.toggle("hot", item === card));
    if (!card) return;
    if (card.hidden) open();
    card.scrollIntoView({ block: "center" });
  };
  window.addEventListener("hashchange", aim);
  aim();
};
